package reporttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// strict decodes one JSON value without a key that is not in v.
func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more behind the end")
	}
	return nil
}

// An Issue is one of a code quality report of GitLab.
type Issue struct {
	Description string `json:"description"`
	CheckName   string `json:"check_name"`
	Fingerprint string `json:"fingerprint"`
	Severity    string `json:"severity"`
	Location    struct {
		Path  string `json:"path"`
		Lines struct {
			Begin int `json:"begin"`
		} `json:"lines"`
	} `json:"location"`
}

var fingerprint = regexp.MustCompile(`^[0-9a-f]{64}$`)

// GitLab reads a code quality report of GitLab.
func GitLab(data []byte) (all []Issue, err error) {
	if err := strict(data, &all); err != nil {
		return nil, err
	}
	if all == nil {
		return nil, errors.New("no array")
	}
	seen := map[string]bool{}
	for _, i := range all {
		p := i.Location.Path
		switch {
		case !fingerprint.MatchString(i.Fingerprint) || seen[i.Fingerprint]:
			return nil, fmt.Errorf("the fingerprint of %v is wrong, or there twice", i)
		case !slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, i.Severity):
			return nil, fmt.Errorf("the severity of %v", i)
		case i.Description == "" || !strings.HasPrefix(i.CheckName, "usersyncd."):
			return nil, fmt.Errorf("the description or check of %v", i)
		case p == "" || path.IsAbs(p) || path.Clean(p) != p || i.Location.Lines.Begin < 1:
			return nil, fmt.Errorf("the location of %v", i)
		}
		seen[i.Fingerprint] = true
	}
	return all, nil
}

// GitLabPlan reads a report of artifacts:reports:terraform; ok is false if it has no numbers.
func GitLabPlan(data []byte) (create, update, remove int, ok bool, err error) {
	var v struct {
		Create *int `json:"create"`
		Update *int `json:"update"`
		Delete *int `json:"delete"`
	}
	if err := strict(data, &v); err != nil || v.Create == nil && v.Update == nil && v.Delete == nil {
		return 0, 0, 0, false, err
	}
	if v.Create == nil || v.Update == nil || v.Delete == nil {
		return 0, 0, 0, false, errors.New("a number is missing")
	}
	return *v.Create, *v.Update, *v.Delete, true, nil
}

type problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Validated is usersyncd.validate/v1.
type Validated struct {
	Schema          string    `json:"schema"`
	Valid           bool      `json:"valid"`
	ExitCode        *int      `json:"exitCode"`
	Users           int       `json:"users"`
	Files           int       `json:"files"`
	Problems        []problem `json:"problems"`
	ProblemsLeftOut int       `json:"problemsLeftOut"`
	Warnings        []problem `json:"warnings"`
	WarningCount    int       `json:"warningCount"`
}

// Validate reads usersyncd.validate/v1.
func Validate(data []byte) (v Validated, err error) {
	if err = strict(data, &v); err == nil && (v.Schema != "usersyncd.validate/v1" || v.ExitCode == nil || v.Problems == nil) {
		err = errors.New("a key is missing")
	}
	return v, err
}

type field struct {
	Field  string          `json:"field"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
	Cause  string          `json:"cause"`
}

type change struct {
	Email    string  `json:"email"`
	ID       string  `json:"id"`
	Group    string  `json:"group"`
	File     string  `json:"file"`
	Line     int     `json:"line"`
	Column   int     `json:"column"`
	Cause    string  `json:"cause"`
	Action   string  `json:"action"`
	Fields   []field `json:"fields"`
	Result   string  `json:"result"`
	Note     string  `json:"note"`
	Hold     string  `json:"hold"`
	Drift    []field `json:"drift"`
	Deferred []field `json:"deferred"`
	Until    string  `json:"until"`
	Withheld []struct {
		field
		Reason string `json:"reason"`
		Note   string `json:"note"`
		Hold   string `json:"hold"`
		Until  string `json:"until"`
	} `json:"withheld"`
}

// Result is usersyncd.result/v1.
type Result struct {
	Schema   string `json:"schema"`
	Mode     string `json:"mode"`
	DryRun   bool   `json:"dryRun"`
	ExitCode *int   `json:"exitCode"`
	Plan     string `json:"plan"`
	Digest   string `json:"digest"`
	Org      *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		API  string `json:"api"`
	} `json:"org"`
	Totals *struct {
		Groups map[string]int `json:"groups"`
		Fields map[string]struct {
			Users   int `json:"users"`
			Added   int `json:"added"`
			Removed int `json:"removed"`
		} `json:"fields"`
	} `json:"totals"`
	ManagedFromNow int    `json:"managedFromNow"`
	Revision       string `json:"revision"`
	Users          int    `json:"users"`
	Changed        int    `json:"changed"`
	Applied        int    `json:"applied"`
	Failed         int    `json:"failed"`
	Partial        int    `json:"partial"`
	Held           int    `json:"held"`
	HeldInPart     int    `json:"heldInPart"`
	Quarantined    int    `json:"quarantined"`
	Skipped        int    `json:"skipped"`
	Waiting        int    `json:"waiting"`
	Deferred       int    `json:"deferred"`
	Pending        int    `json:"pending"`
	Unchanged      int    `json:"unchanged"`
	Kept           int    `json:"kept"`
	Calls          struct {
		Total     int `json:"total"`
		Reads     int `json:"reads"`
		Writes    int `json:"writes"`
		Throttled int `json:"throttled"`
		Retried   int `json:"retried"`
	} `json:"calls"`
	Seconds  float64 `json:"seconds"`
	Estimate *struct {
		Calls   int     `json:"calls"`
		Seconds float64 `json:"seconds"`
		Lanes   []struct {
			Lane    int     `json:"lane"`
			Name    string  `json:"name"`
			Calls   int     `json:"calls"`
			Seconds float64 `json:"seconds"`
		} `json:"lanes"`
		Reads []struct {
			Field   string  `json:"field"`
			Users   int     `json:"users"`
			Seconds float64 `json:"seconds"`
		} `json:"reads"`
	} `json:"estimate"`
	Holds []struct {
		ID     string   `json:"id"`
		Guard  string   `json:"guard"`
		Users  []string `json:"users"`
		Fields []string `json:"fields"`
		Reason string   `json:"reason"`
		Undo   bool     `json:"undo"`

		Differences []string `json:"differences"`
	} `json:"holds"`
	Notes     []string `json:"notes"`
	Contested []struct {
		Email string `json:"email"`
		Field string `json:"field"`
		Until string `json:"until"`
	} `json:"contested"`
	Paused *struct {
		At     string `json:"at"`
		By     string `json:"by"`
		Reason string `json:"reason"`
	} `json:"paused"`
	Changes  []change `json:"changes"`
	Failures []struct {
		Email         string `json:"email"`
		File          string `json:"file"`
		Line          int    `json:"line"`
		Column        int    `json:"column"`
		Status        int    `json:"status"`
		Code          string `json:"code"`
		Message       string `json:"message"`
		CorrelationID string `json:"correlationId"`
		Problem       bool   `json:"problem"`
	} `json:"failures"`
	Problems        []problem `json:"problems"`
	ProblemsLeftOut int       `json:"problemsLeftOut"`
}

// ReadResult reads usersyncd.result/v1.
func ReadResult(data []byte) (v Result, err error) {
	if err = strict(data, &v); err == nil && (v.Schema != "usersyncd.result/v1" || v.ExitCode == nil || v.Totals == nil || v.Changes == nil || v.Failures == nil || v.Holds == nil) {
		err = errors.New("a key is missing")
	}
	return v, err
}
