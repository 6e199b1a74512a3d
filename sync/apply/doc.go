// Package apply carries out a plan: it makes the calls, in order and at once as far as they may overlap, finds out what
// came of those that were not answered, and records each outcome before the next call of the user. It knows no HTTP.
//
// # The way of a user
//
// The calls of one user are a job. It is in one of six states, and [engine.next] is the one function that says, for
// every answer, which comes next:
//
//	          answered, more calls left
//	             .----------.
//	             v          |
//	plan ----> call --------'                        the last call was answered, or nothing is left:
//	             |  |                                -----------------------------------> done
//	             |  | restored: read all of the user
//	             |  '----------------> read all --.
//	             | no usable answer,              |
//	             | or refused as stale            |
//	             |--- the user is known -----> read --+-- as it is to be ------------------> done
//	             |                               |  |
//	             |                               |  '-- differs: compared again ------------> call
//	             |                               '--- the address is taken: by whom? ------> find
//	             |
//	             '--- it is to be created ---> find --+-- found: compared ---------> call, or done
//	                                                  '-- nobody has the address ---------> call
//
//	From each of them: refused, or tried too often ----> done (failed)
//	A state that must not be entered at once is entered through backoff, at its time.
//
// # The way of an answer
//
// A request is sent by a goroutine that does nothing else. Its answer comes back to the one that decides: receive frees
// the jobs that it is for and notes whether the API works at all; next moves each of the jobs on; and arrived takes in
// what is known of the user by now, whether a call was answered or a reading has shown it: the user, the history, what the
// guards count and the intents, together. What all answers of one turn have changed is one commit.
package apply
