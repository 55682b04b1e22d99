package maildrop

import (
	"strings"
	"testing"
)

// FuzzParse takes mails apart that anybody may send.
func FuzzParse(f *testing.F) {
	f.Add([]byte("Subject: x\r\n\r\nbody"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n!!\r\n--b--"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n", 300)))
	f.Add([]byte("not a mail"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := row{Raw: raw}.parse()
		if len(m.Attachments) > maxParts || len(m.Text)+len(m.HTML) > 6*len(raw)+10 {
			t.Errorf("%d bytes became %d attachments, %d characters", len(raw), len(m.Attachments), len(m.Text)+len(m.HTML))
		}
	})
}

func TestParseBroken(t *testing.T) {
	t.Parallel()
	nested := strings.Builder{}
	for i := range 20 {
		nested.WriteString("Content-Type: multipart/mixed; boundary=b" + string(rune('a'+i)) + "\r\n\r\n--b" + string(rune('a'+i)) + "\r\n")
	}
	for name, tt := range map[string]struct{ raw, fault string }{
		"base64":     {"Content-Transfer-Encoding: base64\r\n\r\n!!!", "broken encoding"},
		"cut parts":  {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx", "broken encoding"},
		"deep":       {nested.String() + "\r\nx", "too many parts"},
		"fine":       {"Subject: x\r\n\r\nbody", ""},
		"many parts": {"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 300) + "--b--", "too many parts"},
		"no header":  {"hello", "unreadable header"},
	} {
		if got := (row{Raw: []byte(tt.raw)}).parse(); got.Fault != tt.fault {
			t.Errorf("%s: fault %q, want %q", name, got.Fault, tt.fault)
		}
	}
}
