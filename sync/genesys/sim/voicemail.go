package sim

import "net/http"

// wireVoicemail is VoicemailUserPolicy. A pin is taken, and never shown.
type wireVoicemail struct {
	Enabled                *bool   `json:"enabled,omitempty"`
	AlertTimeoutSeconds    *int    `json:"alertTimeoutSeconds,omitempty"`
	SendEmailNotifications *bool   `json:"sendEmailNotifications,omitempty"`
	Pin                    *string `json:"pin,omitempty"`
	ModifiedDate           *string `json:"modifiedDate,omitempty"` // read-only
}

func (u *User) voicemail() wireVoicemail {
	v := u.Voicemail.OrDefault()
	return wireVoicemail{Enabled: &v.Enabled, AlertTimeoutSeconds: &v.AlertTimeoutSeconds, SendEmailNotifications: &v.SendEmailNotifications}
}

func (s *Server) getVoicemail(req *request) answer {
	if a := s.permitted("voicemail:userPolicy:viewOther"); a != nil {
		return *a
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	return answer{status: http.StatusOK, body: r.voicemail()}
}

// patchVoicemail changes what is named.
func (s *Server) patchVoicemail(req *request) answer {
	return s.setVoicemail(req, func(u *User) Voicemail { return u.Voicemail.OrDefault() })
}

// putVoicemail makes the rest the default.
func (s *Server) putVoicemail(req *request) answer {
	return s.setVoicemail(req, func(*User) Voicemail { return Voicemail{}.OrDefault() })
}

func (s *Server) setVoicemail(req *request, from func(*User) Voicemail) answer {
	if a := s.permitted("telephony:plugin:all"); a != nil {
		return *a
	}
	var body wireVoicemail
	if bad := s.decode(req, &body); bad != nil {
		return *bad
	}
	if n := body.AlertTimeoutSeconds; n != nil && *n < 1 {
		return *invalid("alertTimeoutSeconds [%d] is not positive", *n)
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	s.changePart(r, func(u *User) {
		v := from(u)
		if body.Enabled != nil {
			v.Enabled = *body.Enabled
		}
		if body.AlertTimeoutSeconds != nil {
			v.AlertTimeoutSeconds = *body.AlertTimeoutSeconds
		}
		if body.SendEmailNotifications != nil {
			v.SendEmailNotifications = *body.SendEmailNotifications
		}
		u.Voicemail = v
	})
	return answer{status: http.StatusOK, body: r.voicemail()}
}
