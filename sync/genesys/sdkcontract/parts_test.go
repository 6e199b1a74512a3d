package sdkcontract

import (
	"testing"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"

	"usersyncd/sync/genesys/sim"
)

func (w *org) skills(listing *sdk.Userskillentitylisting) map[string]float64 {
	out := map[string]float64{}
	for _, s := range val(listing.Entities) {
		out[val(s.Id)] = val(s.Proficiency)
		same(w, "skill", []string{val(s.Name), val(s.State)}, []string{w.NameOf(sim.Skill, val(s.Id)), "active"})
	}
	return out
}

func (w *org) languages(listing *sdk.Userlanguageentitylisting) map[string]float64 {
	out := map[string]float64{}
	for _, l := range val(listing.Entities) {
		out[val(l.Id)] = val(l.Proficiency)
		same(w, "language", []string{val(l.Name), val(l.State)}, []string{w.NameOf(sim.Language, val(l.Id)), "active"})
	}
	return out
}

func TestSkills(t *testing.T) {
	w := newOrg(t)
	u := w.member()
	list, r, err := w.users.GetUserRoutingskills(u.ID, 100, 1, "ASC")
	same(w, "skills", w.skills(shows(w, list, r, err)), u.Skills)

	billing, chat := w.IDOf(sim.Skill, "Billing"), w.IDOf(sim.Skill, "Chat")
	list, r, err = w.users.PutUserRoutingskillsBulk(u.ID, []sdk.Userroutingskillpost{{Id: &billing, Proficiency: new(2.5)}})
	same(w, "replaced", w.skills(shows(w, list, r, err)), map[string]float64{billing: 2.5})
	list, r, err = w.users.PatchUserRoutingskillsBulk(u.ID, []sdk.Userroutingskillpost{{Id: &chat, Proficiency: new(5.0)}})
	same(w, "merged", w.skills(shows(w, list, r, err)), map[string]float64{billing: 2.5, chat: 5})
	w.goes(w.users.DeleteUserRoutingskill(u.ID, billing))
	same(w, "skills", w.now(u).Skills, map[string]float64{chat: 5})
	one, r, err := w.users.PostUserRoutingskills(u.ID, sdk.Userroutingskillpost{Id: &billing, Proficiency: new(1.0)})
	same(w, "added", val(shows(w, one, r, err).Proficiency), 1.0)
	one, r, err = w.users.PutUserRoutingskill(u.ID, billing, sdk.Userroutingskill{Id: &billing, Proficiency: new(3.0)})
	same(w, "set", val(shows(w, one, r, err).Proficiency), 3.0)
	_, r, err = w.users.PatchUserRoutingskillsBulk(u.ID, []sdk.Userroutingskillpost{{Id: new("none"), Proficiency: new(5.0)}})
	w.refused(400, r, err)
}

func TestLanguages(t *testing.T) {
	w := newOrg(t)
	u := w.member()
	list, r, err := w.users.GetUserRoutinglanguages(u.ID, 100, 1, "ASC")
	same(w, "languages", w.languages(shows(w, list, r, err)), u.Languages)

	for id := range u.Languages {
		w.goes(w.users.DeleteUserRoutinglanguage(u.ID, id))
	}
	english := w.IDOf(sim.Language, "English")
	list, r, err = w.users.PatchUserRoutinglanguagesBulk(u.ID, []sdk.Userroutinglanguagepost{{Id: &english, Proficiency: new(4.0)}})
	same(w, "merged", w.languages(shows(w, list, r, err)), map[string]float64{english: 4})
	same(w, "languages", w.now(u).Languages, map[string]float64{english: 4})
}

func TestProfileSkills(t *testing.T) {
	w := newOrg(t)
	u := w.member()
	list, r, err := w.users.GetUserProfileskills(u.ID)
	same(w, "profile skills", shows(w, list, r, err), u.ProfileSkills)
	list, r, err = w.users.PutUserProfileskills(u.ID, []string{"Chess", "Go"})
	same(w, "profile skills", shows(w, list, r, err), []string{"Chess", "Go"})
	same(w, "profile skills", w.now(u).ProfileSkills, []string{"Chess", "Go"})
}

func capacities(media *map[string]sdk.Mediautilization) map[string]sim.Capacity {
	out := map[string]sim.Capacity{}
	for name, m := range val(media) {
		out[name] = sim.Capacity{MaximumCapacity: val(m.MaximumCapacity), InterruptableMediaTypes: val(m.InterruptableMediaTypes), IncludeNonACD: val(m.IncludeNonAcd)}
	}
	return out
}

func TestUtilization(t *testing.T) {
	w := newOrg(t)
	u := w.member()
	standard, r, err := w.routes.GetRoutingUtilization()
	organization := capacities(shows(w, standard, r, err).Utilization)
	if len(organization) != 6 {
		t.Errorf("media %v", organization)
	}
	holds := func(level string, now *sdk.Agentmaxutilizationresponse, own map[string]sim.Capacity) {
		t.Helper()
		same(w, "level", val(now.Level), level)
		have := capacities(now.Utilization)
		for name, c := range organization {
			if mine, ok := own[name]; ok {
				c = mine
			}
			same(w, name, have[name], c)
		}
	}
	own, r, err := w.users.GetRoutingUserUtilization(u.ID)
	holds("Agent", shows(w, own, r, err), u.Utilization.Media)
	own, r, err = w.users.PutRoutingUserUtilization(u.ID, sdk.Utilizationrequest{Utilization: &map[string]sdk.Mediautilization{
		"email": {MaximumCapacity: new(7), InterruptableMediaTypes: &[]string{"call"}, IncludeNonAcd: new(true)}}})
	want := map[string]sim.Capacity{"email": {MaximumCapacity: 7, InterruptableMediaTypes: []string{"call"}, IncludeNonACD: true}}
	holds("Agent", shows(w, own, r, err), want)
	same(w, "stored", w.now(u).Utilization.Media["email"], want["email"])
	labels, r, err := w.routes.GetRoutingUtilizationLabels(100, 1, "ascending", "")
	label := val(shows(w, labels, r, err).Entities)[0]
	own, r, err = w.users.PutRoutingUserUtilization(u.ID, sdk.Utilizationrequest{MaxInboundCalls: new(2), LabelUtilizations: &map[string]sdk.Labelutilizationrequest{
		val(label.Id): {MaximumCapacity: new(3), InterruptingLabelIds: &[]string{val(label.Id)}}}})
	limit := val(shows(w, own, r, err).LabelUtilizations)[val(label.Id)]
	same(w, "label", []any{val(limit.LabelName), val(limit.MaximumCapacity), val(limit.InterruptingLabelIds), val(own.MaxInboundCalls)},
		[]any{val(label.Name), 3, []string{val(label.Id)}, 2})
	w.goes(w.users.DeleteRoutingUserUtilization(u.ID))
	own, r, err = w.users.GetRoutingUserUtilization(u.ID)
	holds("Organization", shows(w, own, r, err), nil)
}

func TestVoicemail(t *testing.T) {
	w := newOrg(t)
	u := w.member()
	api := sdk.NewVoicemailApiWithConfig(w.config)
	policy := func(p *sdk.Voicemailuserpolicy) sim.Voicemail {
		if p.Pin != nil {
			t.Error("a pin is shown")
		}
		return sim.Voicemail{Enabled: val(p.Enabled), AlertTimeoutSeconds: val(p.AlertTimeoutSeconds), SendEmailNotifications: val(p.SendEmailNotifications)}
	}
	p, r, err := api.GetVoicemailUserpolicy(u.ID)
	same(w, "policy", policy(shows(w, p, r, err)), u.Voicemail)
	p, r, err = api.PatchVoicemailUserpolicy(u.ID, sdk.Voicemailuserpolicy{AlertTimeoutSeconds: new(35), SendEmailNotifications: new(false)})
	same(w, "policy", policy(shows(w, p, r, err)), sim.Voicemail{Enabled: true, AlertTimeoutSeconds: 35})
	same(w, "stored", w.now(u).Voicemail, sim.Voicemail{Enabled: true, AlertTimeoutSeconds: 35})
}

func TestExternalIDs(t *testing.T) {
	w := newOrg(t)
	u := w.member()
	pairs := func(list []sdk.Userexternalidentifier) map[string]string {
		out := map[string]string{}
		for _, e := range list {
			out[val(e.AuthorityName)] = val(e.ExternalKey)
		}
		return out
	}
	list, r, err := w.users.GetUserExternalid(u.ID)
	same(w, "external ids", pairs(shows(w, list, r, err)), u.ExternalIDs)
	list, r, err = w.users.PostUserExternalid(u.ID, sdk.Userexternalidentifier{AuthorityName: new("crm"), ExternalKey: new("c-7")})
	same(w, "external ids", pairs(shows(w, list, r, err)), w.now(u).ExternalIDs)
	found, r, err := w.users.GetUsersExternalidAuthorityNameExternalKey("crm", "c-7", nil)
	w.is(*shows(w, found, r, err), w.now(u), false)
	w.goes(w.users.DeleteUserExternalidAuthorityNameExternalKey(u.ID, "hr", u.ExternalIDs["hr"]))
	same(w, "external ids", w.now(u).ExternalIDs, map[string]string{"crm": "c-7"})
	_, r, err = w.users.PostUserExternalid(w.Users()[0].ID, sdk.Userexternalidentifier{AuthorityName: new("crm"), ExternalKey: new("c-7")})
	w.refused(409, r, err)
}
