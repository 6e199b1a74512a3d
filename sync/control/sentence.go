package control

import "fmt"

// Sentence says how it is in one sentence: what somebody who was woken up reads first.
func (s *Status) Sentence() string {
	switch {
<<<<<<< HEAD
	case s.PID != 0:
		return lines(s)[0].Text + "."
=======
	case s.PID == 0 && s.Paused != nil:
		return "Paused: nothing is changed."
	case s.PID == 0 && s.Users > 0 && s.Quarantined == 0:
		return fmt.Sprintf("No daemon runs. When the last pass ended, all %s were as declared.", users(s.Users))
	case s.PID == 0:
		return "No daemon runs."
	case s.Stuck != "":
		return "Stuck: " + s.Stuck + "."
	case s.CredentialsDead:
		return "Nothing is applied: the API refuses the credentials."
	case s.Error != "":
		return fmt.Sprintf("The last pass ended early%s.", since(s.Success, s.Now))
	case s.Paused != nil && s.Pending == 0:
		return "Paused: nothing is to be changed."
>>>>>>> socket
	case s.Paused != nil:
		return "No daemon runs, and nothing is to be changed: paused."
	case s.Users > 0 && s.Quarantined == 0:
		return fmt.Sprintf("No daemon runs. When the last pass ended, %s as declared.", everybody(s.Users))
	}
	return "No daemon runs."
}
