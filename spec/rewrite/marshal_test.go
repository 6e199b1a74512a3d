package rewrite_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usersyncd/spec"
	"usersyncd/spec/rewrite"
)

// ignorePlaces compares what was declared, not where.
var ignorePlaces = cmpopts.IgnoreFields(spec.User{}, "Pos", "Ordinal", "At")

func TestMarshalWritesTheFormat(t *testing.T) {
	users := load(t, spec.NewLoader(checkout(t, map[string]string{"a.yaml": everything, "b.yaml": `{email: b@x.example, title: "no", department: "", skills: {"1": 2.50}}`}))).Users
	const want = `email: ana.perez@example.com
id: "3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f"
previousEmail: [ana@example.com]
name: Ana Pérez
state: active
title: Senior agent
department: Support
manager: luis.gomez@example.com
division: EMEA
preferredName: Ana
acdAutoAnswer: false
certifications: [ISO, PCI]
profileSkills: [Chess]
employer: {officialName: Ana Pérez, employeeId: "007123", employeeType: Full-time, dateHire: "2024-03-01"}
phones: [{type: work, media: phone, number: "+34600000001", extension: "4021"}]
emails: [{type: home, address: ana@home.example}]
locations: [{name: Madrid HQ, notes: "3rd floor"}]
skills: {Billing: 4, Refunds: 2.5}
languages: {English: 3, Spanish: 5}
roles: [Employee, {role: Supervisor, divisions: [EMEA]}]
queues: [Billing ES]
groups: [Madrid]
utilization: {call: {capacity: 1}, message: {capacity: 3, interruptedBy: [call]}}
voicemail: {alertTimeoutSeconds: 30, sendEmailNotifications: true}
externalIds: {workday: W-1}
---
email: b@x.example
title: "no"
department: ""
skills: {"1": 2.5}
`
	got := rewrite.Marshal(users...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again := load(t, spec.NewLoader(checkout(t, map[string]string{"a.yaml": got})))
	if diff := cmp.Diff(users, again.Users, ignorePlaces); diff != "" || len(again.Problems) > 0 {
		t.Error(texts(again.Problems), diff)
	}
}
