// Package browsertest opens the status page in Chromium, and fails on whatever a browser complains about. It
// is a module of its own, so that the product does not depend on a browser's driver.
//
//	go test ./...                                  needs a Chromium: apt-get install chromium
//	USERSYNCD_SHOTS=/tmp/shots go test -run Shots  keeps the screenshots
package browsertest
