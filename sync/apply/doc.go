// Package apply carries out a plan: it makes the calls, in order and concurrently where they may overlap, finds out the
// result of calls that were not answered, and records each result before the next call of the user. How a call
// becomes a request is up to the Writer.
//
// # Types
//
//	Run        carries out a plan
//	Writer     the user directory that it calls, implemented by package genesys
//	Call       one request, for one user or several
//	job        one user's change: a state machine (job.go, transition.go)
//	engine     schedules the jobs, in one goroutine (run.go, queue.go)
//	recorder   collects what a turn has changed, and commits it (recorder.go, intent.go, outcome.go)
//	Resolver   takes in what interrupted calls of an earlier process have written
//
// # States of a job
//
// A job is in one of six states. [engine.next] decides the next state after an answer:
//
//	            .-------------------------------.
//	            v                               |
//	plan ---> call ---> read, read all, find ---'      and from each of them ---> done
//
//	plan ---> call, or find if an earlier process has begun to create the user
//
//	call      answered, and more calls are left ................. call
//	          answered, and none is left ........................ done (applied)
//	          answered, and the user was restored ............... read all
//	          no usable answer, or stale, and it is repeatable .. call
//	          no usable answer, or stale, and the user is known . read
//	          the same of a creation ............................ find
//	read,     as desired, or nothing is left .................... done (applied)
//	read all  differs ........................................... call
//	          older than what is known, or not shown yet ........ read, read all
//	          the address was refused, and the version is right . find
//	          the user does not exist any more .................. call (a creation)
//	find      a user has the address, and is to be adopted ...... call, or done
//	          another user has it ............................... done (failed)
//	          no user yet: a search shows a new one late ........ find
//	          no user ........................................... call (the creation, again)
//	any       refused for now, while others are accepted ........ the same
//	          refused, or tried too often ....................... done (failed)
//
// A state that is entered later is entered through backoff. A job that waits for another user that does not come is done
// (skipped) in the end. A call for several users that is refused is made again for each half of them, which changes no
// job's state.
//
// # From an answer to a commit
//
// A goroutine sends a request and returns its answer to the engine. [engine.receive] notes whether the API works at all
// ([Health]) and moves each job of the answer on; [engine.observe] takes in what is now known of the user: the record, the
// history, what the guards count and the intents. All answers of one turn are one commit.
package apply
