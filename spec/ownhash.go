package spec

// Own reports whether a field was set in the user's own mapping, and not inherited from a _defaults.yaml.
// A map that is set in both is the user's own.
func (u *User) Own(f Field) bool {
	at, ok := u.At.Of(f)
	return ok && !IsDefaults(at.File)
}

// OwnHash is Hash of what the user's own mapping says alone: an edit of it changes the hash, an edit of a
// _defaults.yaml does not. Formatting and comments do not count, as in Hash.
func (u *User) OwnHash() string {
	own := User{ID: u.ID, PreviousEmails: u.PreviousEmails, Fields: make(Fields, len(u.Fields))}
	for f, v := range u.Fields {
		if part, merged := u.OwnParts[f]; merged {
			v = part
		}
		if u.Own(f) {
			own.Fields[f] = v
		}
	}
	return own.Hash()
}

// addOwnPart notes what the user's own mapping says of a field whose value was merged with an inherited one.
func (u *User) addOwnPart(info Info, own, merged *node) {
	if own == nil || own == merged {
		return
	}
	part, ok := info.read(&reader{}, own)
	if !ok { // it lacks what it inherits, such as the capacity of a medium
		part = encode(own.content())
	}
	if u.OwnParts == nil {
		u.OwnParts = Fields{}
	}
	u.OwnParts[info.Field] = part
}
