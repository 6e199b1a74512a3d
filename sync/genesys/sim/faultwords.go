package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseFault reads a fault in words, in any order:
//
//	[METHOD] [PATH] [user=EMAIL] [after=N] [every=N] [N%] [xN] EFFECT [code=CODE] [retry-after=VALUE]
//
// EFFECT is a status, or one of the effects; slow is slow=2s, listing is listing=null or another shape. A * is any
// method or path, and says nothing.
//
//	PATCH /api/v2/users/* 10% lost
//	PATCH user=bob@example.com 500
//	* 5% 503 retry-after=1
//	x1 listing=hole
func ParseFault(text string) (Fault, error) {
	var f Fault
	said := map[string]string{}
	for word := range strings.FieldsSeq(text) {
		part, err := f.word(word)
		if err != nil {
			return Fault{}, fmt.Errorf("fault %q: %q %w", text, word, err)
		}
		if first := said[part]; first != "" && part != "" {
			return Fault{}, fmt.Errorf("fault %q: %q and %q are two of one kind; make it two faults", text, first, word)
		}
		said[part] = word
	}
	switch {
	case f.Effect == "":
		return Fault{}, fmt.Errorf("fault %q: it says no status and no effect, such as 503 or lost", text)
	case f.RetryAfter+f.APICode != "" && f.Effect != Status:
		return Fault{}, fmt.Errorf("fault %q: a value of retry-after or code goes with a status, such as 503", text)
	}
	return f, nil
}

// word takes one word in, and says which part of a fault it is.
func (f *Fault) word(word string) (part string, err error) {
	name, value, pair := strings.Cut(word, "=")
	switch {
	case word == "*":
		return "", nil
	case slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, word):
		f.Method = word
		return "method", nil
	case strings.HasPrefix(word, "/"):
		if strings.Contains(strings.TrimSuffix(word, "*"), "*") {
			return "", errors.New("has a * that is not at its end")
		}
		f.Path = word
		return "path", nil
	case pair && name == "slow":
		if f.Delay, err = time.ParseDuration(value); err != nil || f.Delay <= 0 {
			return "", errors.New("is not a duration, such as slow=2s")
		}
		f.Effect = Slow
		return "effect", nil
	case pair && name == "listing":
		f.Effect, f.Shape = Listing, value
		return "effect", validShape(value)
	case pair && name == "done":
		if f.Code, err = positive(value); err != nil || f.Code < 400 || f.Code > 599 {
			return "", errors.New("is not a status, such as done=502")
		}
		f.Effect = Done
		return "effect", nil
	case pair:
		return name, f.pair(name, value)
	case strings.HasSuffix(word, "%"):
		p, err := strconv.ParseFloat(strings.TrimSuffix(word, "%"), 64)
		if f.Share = p / 100; err != nil || !(f.Share > 0 && f.Share <= 1) {
			return "", errors.New("is not a share above 0% and up to 100%")
		}
		return "share", nil
	case word[0] == 'x':
		if f.Times, err = positive(word[1:]); err != nil {
			return "", errors.New("is not a number of times, such as x3")
		}
		return "times", nil
	case len(word) == 3 && word >= "400" && word <= "599" && strings.Trim(word, "0123456789") == "":
		f.Effect = Status
		f.Code, err = strconv.Atoi(word)
		return "effect", err
	case slices.Contains([]Effect{Drop, Lost, Truncated, HTML, Conflict409, Conflict400, Spurious, Edited, Expired, Revoked}, Effect(word)):
		f.Effect = Effect(word)
		return "effect", nil
	}
	return "", errors.New("is not understood; write [METHOD] [PATH] [user=EMAIL] [after=N] [every=N] [N%] [xN] and a status or an effect")
}

func (f *Fault) pair(name, value string) (err error) {
	switch name {
	case "user":
		if f.User = value; value == "" {
			return errors.New("names no user")
		}
	case "after":
		f.After, err = positive(value)
	case "every":
		f.Every, err = positive(value)
	case "code":
		if f.APICode = value; value == "" {
			return errors.New("has no value, such as code=general.conflict")
		}
	case "retry-after":
		f.RetryAfter = value
		_, wrong := strconv.Atoi(strings.TrimPrefix(value, "date:"))
		if dated := strings.HasPrefix(value, "date:"); value == "" || dated && wrong != nil {
			return errors.New("has no value, such as 30, 0, -1, soon or date:30")
		}
	default:
		return errors.New("is not understood; what takes a value is user, after, every, code, retry-after, slow, done and listing")
	}
	return err
}

func positive(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, errors.New("is not a positive number")
	}
	return n, nil
}

// String is the fault in the words that ParseFault reads.
func (f *Fault) String() string {
	words := []string{orElse(f.Method, "*")}
	say := func(there bool, format string, v any) {
		if there {
			words = append(words, fmt.Sprintf(format, v))
		}
	}
	say(f.Path != "" && f.Path != "*", "%s", f.Path)
	say(f.User != "", "user=%s", f.User)
	say(f.After > 0, "after=%d", f.After)
	say(f.Every > 0, "every=%d", f.Every)
	say(f.Share > 0, "%g%%", f.Share*100)
	say(f.Times > 0, "x%d", f.Times)
	switch f.Effect {
	case Status:
		say(true, "%d", f.Code)
	case Slow:
		say(true, "slow=%v", f.Delay)
	case Done:
		say(true, "done=%d", f.Code)
	case Listing:
		say(true, "listing=%s", f.Shape)
	default:
		say(true, "%s", f.Effect)
	}
	say(f.RetryAfter != "", "retry-after=%s", f.RetryAfter)
	return strings.Join(words, " ")
}
