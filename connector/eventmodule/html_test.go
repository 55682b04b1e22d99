package eventmodule

import (
	"strings"
	"testing"
)

func TestSanitize(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                         "",
		"plain & <simple":          "<p>plain &amp; &lt;simple</p>",
		"<p>a<b>b</p>c":            "<p>a<b>b</b></p>c",
		"<SCRIPT>x</script >y":     "<p>y</p>",
		"<script>x":                "",
		"<a href='javascript:x'>l": "<a>l</a>",
		`<a href=" java` + "\n" + `script:x">l</a>`:   "<a>l</a>",
		`<a href="&#106;avascript:x">l</a>`:           "<a>l</a>",
		`<a href="https://x.be/?a=1&b=2" onclick=x>l`: `<a href="https://x.be/?a=1&amp;b=2">l</a>`,
		`<img src="data:text/html,x" alt="<">`:        `<img alt="&lt;">`,
		"<p>l'été &amp; &eacute;</p><!-- x --></div>": "<p>l'été &amp; é</p>",
		"<svg><p>x</p></svg><ul><li>1<li>2</ul>":      "<ul><li>1<li>2</li></li></ul>",
		"<p title='>'>x":                              "<p>x</p>",
	}
	for give, want := range tests {
		got := sanitize(give)
		if got != want {
			t.Errorf("sanitize(%q) = %q, want %q", give, got, want)
		}
		if again := sanitize(got); again != got {
			t.Errorf("sanitize is not stable on %q: %q", got, again)
		}
	}
}

// FuzzSanitize: nothing that runs comes through, and a second pass changes
// nothing.
func FuzzSanitize(f *testing.F) {
	f.Add(`<p onclick="x()">hi</p><script>alert(1)</script>`)
	f.Add(`<a href='jav&#x09;ascript:x' <b <script`)
	f.Fuzz(func(t *testing.T, s string) {
		got := sanitize(s)
		low := strings.ToLower(got)
		if strings.Contains(low, "<script") || strings.Contains(low, "<iframe") {
			t.Errorf("%q became %q", s, got)
		}
		if again := sanitize(got); again != got {
			t.Errorf("%q became %q, then %q", s, got, again)
		}
	})
}
