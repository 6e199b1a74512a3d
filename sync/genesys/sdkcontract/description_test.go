package sdkcontract

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A description is the API as the vendor describes it (Swagger 2.0): the file from which the SDK was made, and
// which comes with it. It says what the models do not: paths, query parameters, what is required or
// read-only, and fixed words.
type description struct {
	Paths       map[string]map[string]*operation `json:"paths"`
	Definitions map[string]*schema               `json:"definitions"`
}

type operation struct {
	path       string
	Parameters []parameter `json:"parameters"`
	Responses  map[string]struct {
		Schema *schema           `json:"schema"`
		Codes  map[string]string `json:"x-inin-error-codes"` // with their texts
	} `json:"responses"`
}

type parameter struct {
	Name     string  `json:"name"`
	In       string  `json:"in"`
	Required bool    `json:"required"`
	Schema   *schema `json:"schema"` // of a body
	schema           // of all others
}

type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Enum       []string           `json:"enum"`
	ReadOnly   bool               `json:"readOnly"`
	Required   []string           `json:"required"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Additional *schema            `json:"additionalProperties"`
}

// UnmarshalJSON leaves out enumerations that are not of texts, and required that is a bool, of a parameter.
func (s *schema) UnmarshalJSON(data []byte) error {
	type plain schema
	var loose struct {
		*plain
		Enum       json.RawMessage `json:"enum"`
		Required   json.RawMessage `json:"required"`
		Additional json.RawMessage `json:"additionalProperties"`
	}
	loose.plain = (*plain)(s)
	if err := json.Unmarshal(data, &loose); err != nil {
		return err
	}
	_ = json.Unmarshal(loose.Enum, &s.Enum)
	_ = json.Unmarshal(loose.Required, &s.Required)
	_ = json.Unmarshal(loose.Additional, &s.Additional)
	return nil
}

func (p *parameter) UnmarshalJSON(data []byte) error {
	var own struct {
		Name, In string
		Required bool
		Schema   *schema
	}
	if err := json.Unmarshal(data, &own); err != nil {
		return err
	}
	p.Name, p.In, p.Required, p.Schema = own.Name, own.In, own.Required, own.Schema
	return json.Unmarshal(data, &p.schema)
}

const sdkModule = "github.com/mypurecloud/platform-client-sdk-go/v193"

var readDescription = sync.OnceValues(func() (*description, error) {
	dir, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", sdkModule).Output()
	if err != nil {
		return nil, fmt.Errorf("where the SDK is: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "swagger.json"))
	if err != nil {
		return nil, err
	}
	d := &description{}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, err
	}
	for path, methods := range d.Paths {
		for _, o := range methods {
			o.path = path
		}
	}
	return d, nil
})

func describe(t *testing.T) *description {
	t.Helper()
	d, err := readDescription()
	if err != nil {
		t.Fatal(err)
	}
	return d
}
