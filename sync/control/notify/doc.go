// Package notify tells people, over a webhook, what the daemon needs them for: something is held, users fail,
// the credentials are refused, no pass succeeds, the specs have problems, somebody forgot a pause. And when
// that is over.
//
// It looks at a [control.Source] every few seconds, as a page does; the daemon does not know that it is there,
// and waits for it nowhere. What it remembers is in memory: after a restart, what still lasts is told once more.
//
// # Words
//
//   - kind: one sort of trouble, such as held.
//   - item: what a kind is made of, such as one hold. An item that was not told yet is news; one that was is not.
//   - incident: from the first item of a kind that is told until nothing of that kind is left. It is told as
//     firing once, again for news and for reminders, and as resolved once. Its messages share an id.
//
// The way of a message: [judge] finds it, quota counts it, a bounded queue holds it, [Notifier.deliver] sends it.
package notify
