// Package notify sends messages to a webhook about what needs a person: a hold, failing users, rejected credentials, passes
// that do not succeed, problems in the specs, a forgotten pause. And again when that is resolved.
//
// It works as Alertmanager does. A [Notifier] polls a [control.Source]. Each poll shows alerts, such as one hold;
// those of a kind are a group. A group is sent as firing when an alert has lasted for groupWait, again with new
// alerts or after the repeat interval, and as resolved once when all its alerts are gone: an incident. Two messages
// of an incident are at least groupInterval apart. The groups are in memory: after a restart, what lasts is sent again.
package notify
