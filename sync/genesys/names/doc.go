// Package names turns names into ids and ids into names: Index those of skills, queues and so on, Addresses those of users.
package names
