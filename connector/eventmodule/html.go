package eventmodule

import (
	stdhtml "html"
	"regexp"
	"strings"
)

// allowedTags are the elements an html field keeps, with their attributes.
// Everything else is dropped; of the elements in droppedContent even the text.
var allowedTags = map[string]string{
	"a": "href title", "img": "src alt title width height", "p": "", "br": "", "hr": "", "div": "", "span": "",
	"b": "", "strong": "", "i": "", "em": "", "u": "", "s": "", "small": "", "sub": "", "sup": "", "code": "", "pre": "",
	"ul": "", "ol": "", "li": "", "dl": "", "dt": "", "dd": "", "blockquote": "", "section": "", "article": "",
	"h1": "", "h2": "", "h3": "", "h4": "", "h5": "", "h6": "",
	"table": "", "thead": "", "tbody": "", "tfoot": "", "tr": "", "th": "colspan rowspan", "td": "colspan rowspan", "caption": "",
}

var droppedContent = map[string]bool{
	"script": true, "style": true, "iframe": true, "object": true, "embed": true, "noscript": true,
	"template": true, "svg": true, "math": true, "title": true, "head": true, "textarea": true, "select": true,
}

// maxTag bounds one tag, so that a text of open quotes is read in linear time.
const maxTag = 4096

var voidTags = map[string]bool{"br": true, "hr": true, "img": true}

var (
	tagForm  = regexp.MustCompile(`^<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>`)
	attrForm = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9-]*)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)`)
	safeURL  = regexp.MustCompile(`(?i)^(https?:|mailto:|tel:|/|#|[^:]*$)`)
)

// sanitize keeps the harmless part of an HTML text: allowed elements and
// attributes, closed in order, everything else as text or not at all. Text
// without an element is wrapped in <p>, as Odoo does.
func sanitize(s string) string {
	if strings.TrimSpace(s) == "" {
		return s
	}
	var out strings.Builder
	var open []string
	tagged := false
	for s != "" {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			out.WriteString(plain(s))
			break
		}
		out.WriteString(plain(s[:i]))
		s = s[i:]
		if strings.HasPrefix(s, "<!--") {
			_, s, _ = strings.Cut(s[4:], "-->")
			continue
		}
		if strings.HasPrefix(s, "<!") || strings.HasPrefix(s, "<?") {
			_, s, _ = strings.Cut(s, ">")
			continue
		}
		m := tagForm.FindStringSubmatch(s[:min(len(s), maxTag)])
		if m == nil {
			out.WriteString("&lt;")
			s = s[1:]
			continue
		}
		s = s[len(m[0]):]
		name := strings.ToLower(m[2])
		closing := m[1] == "/"
		if droppedContent[name] {
			if !closing {
				s = afterElement(s, name)
			}
			continue
		}
		attributes, allowed := allowedTags[name]
		if !allowed {
			continue
		}
		if closing {
			open = closeTag(&out, open, name)
			continue
		}
		tagged = true
		out.WriteString("<" + name)
		writeAttributes(&out, m[3], attributes)
		out.WriteString(">")
		if !voidTags[name] {
			open = append(open, name)
		}
	}
	for i := len(open) - 1; i >= 0; i-- {
		out.WriteString("</" + open[i] + ">")
	}
	if !tagged && out.Len() > 0 {
		return "<p>" + out.String() + "</p>"
	}
	return out.String()
}

// plain keeps text as text: references stay, bare signs are escaped.
func plain(s string) string { return escapeText.Replace(stdhtml.UnescapeString(s)) }

var escapeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// afterElement skips to behind the end tag of a dropped element, or to the end.
func afterElement(s, name string) string {
	for {
		_, rest, found := strings.Cut(s, "</")
		if !found {
			return ""
		}
		if len(rest) >= len(name) && strings.EqualFold(rest[:len(name)], name) {
			_, rest, _ = strings.Cut(rest, ">")
			return rest
		}
		s = rest
	}
}

// closeTag closes name and what stands open inside it; a stray end tag is
// dropped.
func closeTag(out *strings.Builder, open []string, name string) []string {
	at := -1
	for i, tag := range open {
		if tag == name {
			at = i
		}
	}
	if at < 0 {
		return open
	}
	for i := len(open) - 1; i >= at; i-- {
		out.WriteString("</" + open[i] + ">")
	}
	return open[:at]
}

func writeAttributes(out *strings.Builder, raw, allowed string) {
	for _, m := range attrForm.FindAllStringSubmatch(raw, -1) {
		name := strings.ToLower(m[1])
		if !strings.Contains(" "+allowed+" ", " "+name+" ") && name != "class" {
			continue
		}
		value := stdhtml.UnescapeString(strings.Trim(m[2], `"'`))
		if (name == "href" || name == "src") && !safeURL.MatchString(strings.TrimSpace(value)) {
			continue
		}
		out.WriteString(" " + name + `="` + stdhtml.EscapeString(value) + `"`)
	}
}
