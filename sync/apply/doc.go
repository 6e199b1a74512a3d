// Package apply carries out a plan: it makes the calls, in order and at once as far as they may overlap, finds out what
// came of those that were not answered, and records each outcome before the next call of the user. It knows no HTTP.
//
// # The way of a user
//
// The calls of one user are a job. It is in one of six states. [engine.next] is the one function that says which comes
// next after an answer:
//
//	            .-------------------------------.
//	            v                               |
//	plan ---> call ---> read, read all, find ---'      and from each of them ---> done
//
//	plan ---> call, or find if an earlier process has begun to create the user
//
//	call      answered, and more calls are left ................. call
//	          answered, and nothing is left ..................... done (applied)
//	          answered, and the user was restored ............... read all
//	          no usable answer, or stale, and it can be repeated  call
//	          no usable answer, or stale, and the user is known . read
//	          the same of a creation ............................ find
//	read,     as it was to be, or nothing is left ............... done (applied)
//	read all  differs ........................................... call
//	          older than what is known, or not shown yet ........ read, read all
//	          the address was refused, and nobody has changed the user: who has it? find
//	          the user does not exist any more .................. call (a creation)
//	find      somebody has the address, and is to be adopted .... call, or done
//	          somebody else's ................................... done (failed)
//	          nobody yet: a search shows a new user late ........ find
//	          nobody ............................................ call (the creation, again)
//	any       refused, or tried too often ....................... done (failed)
//
// A state that must not be entered at once is entered through backoff, at its time. A job that waits for another user,
// who does not come, is done (skipped) in the end. A call for several users that is refused is made for each half of them:
// none of their jobs changes its state.
//
// # The way of an answer
//
// A request is sent by a goroutine that does nothing else. Its answer comes back to the one that decides: receive frees
// the jobs that it is for and notes whether the API works at all; next moves each of the jobs on; and arrived takes in
// what is known of the user by now, whether a call was answered or a reading has shown it: the user, the history, what the
// guards count and the intents, together. What all answers of one turn have changed is one commit.
package apply
