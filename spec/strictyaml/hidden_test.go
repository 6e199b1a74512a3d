package strictyaml

import "testing"

func TestHidden(t *testing.T) {
	for text, want := range map[string]rune{
		"Ana P\u00e9rez": 0, "": 0,
		// Where a language or an emoji needs them.
		"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645":        0, // Persian: after a letter that joins
		"\u0645\u062d\u0645\u062f\u200c\u062d\u0633\u06cc\u0646":  0, // and after one that does not
		"\u0dc1\u0dca\u200d\u0dbb\u0dd3 \u0dbd\u0d82\u0d9a\u0dcf": 0, // Sinhala
		"\u0d30\u0d3e\u0d1c\u0d28\u0d4d\u200d":                    0, // Malayalam, at the end of a word
		"\u09b0\u200d\u09cd\u09af\u09be\u099a\u09c7\u09b2":        0, // Bengali: before the virama
		"\u0915\u094d\u200c\u0937":                                0, // Hindi
		"Team \U0001f469\U0001f3fd\u200d\U0001f4bb":               0,
		"\U0001f468\u200d\U0001f469\u200d\U0001f467":              0,
		"\u2764\ufe0f\u200d\U0001f525":                            0,
		"Line 1\ufe0f\u20e3":                                      0, "\u00a9\ufe0f": 0, "\u845b\U000e0100\u57ce": 0,
		// Where they only hide.
		"Bil\u200dling": joiner, "Bil\u200cling": nonJoiner, "\u200dA": joiner, "A\u200d": joiner, "\u0430\u200d\u0430": joiner,
		"\u0645\u200ca": nonJoiner, "\u0645\u200c \u0645": nonJoiner, "\u0645\u200c\u200c\u0645": nonJoiner, "\u0645\u200c": nonJoiner,
		"\U0001f468\u200c\U0001f469": nonJoiner, "\U0001f468\u200da": joiner, "\u05d0\u200c\u05d0": nonJoiner, "+\u200d+": joiner,
		"A\ufe0f": '\ufe0f', "1\ufe0f": '\ufe0f', "\ufe0f": '\ufe0f', "a-\ufe0f": '\ufe0f', "\u0430\ufe01": '\ufe01', "\u2764\ufe0f\ufe0f": '\ufe0f',
		"a\u200bb": '\u200b', "a\u2060": '\u2060', "a\u00ad": '\u00ad', "\u202eroot": '\u202e', "a\nb": '\n', "a\x7f": '\x7f', "\u3164": '\u3164', "\U000e0041": '\U000e0041',
	} {
		if r, found := Hidden(text); r != want || found != (want != 0) {
			t.Errorf("%q: %q, %t", text, r, found)
		}
	}
	if got := Visible("st\u200date\ufe0f"); got != "state" {
		t.Errorf("%q", got)
	}
}
