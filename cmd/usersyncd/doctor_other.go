//go:build !linux

package main

// What only Linux tells is unknown here.

func fileSystem(string) (kind string, silent, ok bool) { return "", false, false }

func freeSpace(string) (n uint64, ok bool) { return 0, false }

func mayWrite(string) bool { return true }
