package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// render writes a message in a format. Foreign text goes where the receiver reads no markup: rich_text of
// Slack, RichTextBlock of Teams. So a name with *, [ or <!channel> in it is shown as it is, and mentions nobody.
func render(m Message, f Format) ([]byte, error) {
	var v any = m
	switch f {
	case Slack:
		v = slackMessage(m)
	case Teams:
		v = teamsMessage(m)
	case Generic:
	default:
		return nil, fmt.Errorf("there is no format %q", string(f))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it would take six bytes for a character of Slack's escapes
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("writing the message: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// headline is the first line.
func (m Message) headline() string {
	return clean(join("usersyncd", m.Name)+": "+m.Title, maxTitle)
}

type object = map[string]any

// slackMessage is what an incoming webhook takes: blocks, and the text that notifications show, which alone
// has markup and is escaped for it.
func slackMessage(m Message) object {
	run := func(text, style string) object {
		o := object{"type": "text", "text": text}
		if style != "" {
			o["style"] = object{style: true}
		}
		return o
	}
	section := func(runs ...object) object { return object{"type": "rich_text_section", "elements": runs} }
	parts := []object{section(run(m.headline(), "bold"))}
	if m.Text != "" {
		parts = append(parts, section(run(m.Text, "")))
	}
	if len(m.Examples) > 0 {
		var items []object
		for _, e := range m.Examples {
			items = append(items, section(run(e, "")))
		}
		parts = append(parts, object{"type": "rich_text_list", "style": "bullet", "elements": items})
	}
	if m.Fix != "" {
		parts = append(parts, section(run("What to do: ", ""), run(m.Fix, "code")))
	}
	parts = append(parts, section(run(m.from(), "italic")))
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;") // what begins a mention, a link or an entity
	return object{
		"text": escape.Replace(join(m.headline(), m.Text)), "mrkdwn": false, "parse": "none", "link_names": false,
		"unfurl_links": false, "unfurl_media": false,
		"blocks": []object{{"type": "rich_text", "elements": parts}},
	}
}

// teamsMessage is what a Workflows webhook takes: Adaptive Cards as attachments. TextBlocks would read Markdown.
func teamsMessage(m Message) object {
	block := func(spacing string, runs ...object) object {
		return object{"type": "RichTextBlock", "spacing": spacing, "inlines": runs}
	}
	run := func(text string) object { return object{"type": "TextRun", "text": teamsText(text)} }
	title := run(m.headline())
	title["weight"], title["size"] = "bolder", "medium"
	if color := map[string]string{firing: "attention", resolved: "good"}[m.Status]; color != "" {
		title["color"] = color
	}
	body := []object{block("none", title)}
	if m.Text != "" {
		body = append(body, block("small", run(m.Text)))
	}
	for _, e := range m.Examples {
		body = append(body, block("small", run("• "+e)))
	}
	if m.Fix != "" {
		fix := run(m.Fix)
		fix["fontType"] = "monospace"
		body = append(body, block("medium", run("What to do: "), fix))
	}
	from := run(m.from())
	from["isSubtle"], from["size"] = true, "small"
	body = append(body, block("medium", from))
	return object{
		"type": "message", "summary": teamsText(m.headline()),
		"attachments": []object{{
			"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil,
			"content": object{
				"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
				"msteams": object{"width": "Full"}, "body": body,
			},
		}},
	}
}

// teamsText takes apart what a card would replace, {{DATE(...)}}, and what a template would, ${...}.
func teamsText(s string) string {
	for strings.Contains(s, "{{") {
		s = strings.ReplaceAll(s, "{{", "{ {")
	}
	return strings.ReplaceAll(s, "${", "$ {")
}
