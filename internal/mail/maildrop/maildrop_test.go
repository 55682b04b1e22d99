package maildrop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/mail/maildrop"
	"ribambelle/internal/mail/maildrop/maildroptest"
)

const sample = "From: =?utf-8?q?Commune_de_Testville?= <a@testville.example>\r\n" +
	"To: p@example.test\r\nSubject: =?utf-8?b?w4l0w6k=?= 2026\r\nMessage-ID: <m-1@testville.example>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=out\r\n\r\n" +
	"--out\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n" +
	"--in\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nD=C3=A9but =\r\nfin\r\n" +
	"--in\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<!doctype html><html><body><p>D\u00e9but <a href=\"http://127.0.0.1:8080/x\">ici</a><script>x()</script></p></body></html>\r\n" +
	"--in--\r\n" +
	"--out\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"f.pdf\"\r\n" +
	"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n--out--\r\n"

// deliver sends a mail with the standard library's client, which is neither ours nor the drop's.
func deliver(t *testing.T, d *maildroptest.Drop, to []string, raw string) error {
	t.Helper()
	address := strings.TrimSuffix(strings.TrimPrefix(d.SMTP, "smtp://"), "?starttls=never")
	return smtp.SendMail(address, nil, "a@testville.example", to, []byte(raw))
}

func get(t *testing.T, method, address string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func page(t *testing.T, address string) *goquery.Document {
	t.Helper()
	resp, body := get(t, http.MethodGet, address)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %d", address, resp.StatusCode)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestReceive(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 12, 8, 0, 0, 0, time.UTC)
	d := maildroptest.StartWith(t, maildrop.Options{Clock: func() time.Time { return now }})
	if err := deliver(t, d, []string{"p@example.test", "Q@example.test"}, sample); err != nil {
		t.Fatal(err)
	}
	got := d.To("q@EXAMPLE.test")
	want := []maildrop.Mail{{
		ID: 1, ReceivedAt: now, From: "a@testville.example", To: []string{"p@example.test", "Q@example.test"},
		Subject: "Été 2026", MessageID: "m-1@testville.example", Text: "Début fin",
		HTML:        `<!doctype html><html><body><p>Début <a href="http://127.0.0.1:8080/x">ici</a><script>x()</script></p></body></html>`,
		Attachments: []maildrop.Attachment{{Name: "f.pdf", Type: "application/pdf", Size: 5, Data: []byte("%PDF-")}},
		Size:        len(sample),
		Header: map[string]string{
			"From": "Commune de Testville <a@testville.example>", "To": "p@example.test", "Subject": "Été 2026",
			"Message-Id": "<m-1@testville.example>", "Mime-Version": "1.0", "Content-Type": "multipart/mixed; boundary=out",
		},
	}}
	for i := range got {
		got[i].ReceivedAt = got[i].ReceivedAt.UTC()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if n := len(d.To("nobody@example.test")); n != 0 {
		t.Errorf("someone else has %d mails", n)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	d := maildroptest.Start(t)
	if text := page(t, d.URL+"/").Text(); !strings.Contains(text, "Aucun e-mail pour l’instant") {
		t.Errorf("the empty list: %s", text)
	}
	if err := deliver(t, d, []string{"p@example.test"}, sample); err != nil {
		t.Fatal(err)
	}
	list := page(t, d.URL+"/")
	if got := list.Find(".mails a").Text(); !strings.Contains(got, "Été 2026") || !strings.Contains(got, "p@example.test") {
		t.Errorf("the list: %s", got)
	}
	for query, want := range map[string]int{"?q=ÉTÉ": 1, "?q=P@example": 1, "?q=hiver": 0, "?q=%25": 0, "?q=%00": 1} {
		if got := page(t, d.URL+"/"+query).Find(".mails li").Length(); got != want {
			t.Errorf("%s finds %d, want %d", query, got, want)
		}
	}
	show := page(t, d.URL+"/mails/1")
	frame := show.Find("iframe")
	if sandbox, ok := frame.Attr("sandbox"); !ok || strings.Contains(sandbox, "script") || strings.Contains(sandbox, "same-origin") {
		t.Errorf("the frame's sandbox is %q", sandbox)
	}
	if title, _ := frame.Attr("title"); title == "" || !strings.Contains(show.Find("pre").Text(), "Début fin") {
		t.Error("the frame has no title or the text is missing")
	}
	src, _ := frame.Attr("src")
	resp, body := get(t, http.MethodGet, d.URL+src)
	csp := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "sandbox") || strings.Contains(csp, "allow-scripts") {
		t.Errorf("the HTML is served under %q", csp)
	}
	if !strings.HasPrefix(body, `<!doctype html><base target="_blank">`) || !strings.Contains(body, "http://127.0.0.1:8080/x") {
		t.Errorf("the HTML: %s", body)
	}
	attachment, _ := show.Find(`a[href*="attachments"]`).Attr("href")
	resp, body = get(t, http.MethodGet, d.URL+attachment)
	if body != "%PDF-" || resp.Header.Get("Content-Disposition") != `attachment; filename=f.pdf` {
		t.Errorf("the attachment is %q under %v", body, resp.Header)
	}
	if _, body = get(t, http.MethodGet, d.URL+"/mails/1/raw"); body != sample {
		t.Errorf("the source is %q", body)
	}
	for _, address := range []string{"/mails/2", "/mails/x", "/mails/1/attachments/1", "/mails/1/attachments/-1", "/nothing"} {
		if resp, _ := get(t, http.MethodGet, d.URL+address); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %d", address, resp.StatusCode)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	d := maildroptest.Start(t)
	for i := range 3 {
		if err := deliver(t, d, []string{fmt.Sprintf("p%d@example.test", i%2)}, sample); err != nil {
			t.Fatal(err)
		}
	}
	read := func(query string) (mails []maildrop.Mail) {
		_, body := get(t, http.MethodGet, d.URL+"/api/mails"+query)
		if err := json.Unmarshal([]byte(body), &mails); err != nil || mails == nil {
			t.Fatalf("%s is no list: %s, %v", query, body, err)
		}
		return mails
	}
	if all, one, none := read(""), read("?to=p1@example.test"), read("?to=x"); len(all) != 3 || len(one) != 1 || len(none) != 0 || all[0].ID != 3 {
		t.Errorf("all %d, one %d, none %d", len(all), len(one), len(none))
	}
	if resp, _ := get(t, http.MethodDelete, d.URL+"/api/mails"); resp.StatusCode != http.StatusNoContent || len(read("")) != 0 {
		t.Error("the drop is not emptied")
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	d := maildroptest.StartWith(t, maildrop.Options{MaxBytes: 4 << 10, MaxMails: 2})
	if err := deliver(t, d, []string{"p@example.test"}, "Subject: big\r\n\r\n"+strings.Repeat("x\r\n", 3<<10)); err == nil {
		t.Error("a mail above the bound is taken")
	}
	for i := range 4 {
		if err := deliver(t, d, []string{"p@example.test"}, fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	var subjects []string
	for _, m := range d.To("") {
		subjects = append(subjects, m.Subject)
	}
	if diff := cmp.Diff([]string{"3", "2"}, subjects); diff != "" {
		t.Errorf("kept (-want +got)\n%s", diff)
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	d := maildroptest.Start(t)
	d.Script(maildrop.Refusal{Stage: maildrop.StageRcpt, Code: 550, To: "bad@example.test", Times: 2, Text: "unknown here"})
	for range 2 {
		if err := deliver(t, d, []string{"good@example.test"}, sample); err != nil {
			t.Errorf("another recipient: %v", err)
		}
		if err := deliver(t, d, []string{"bad@example.test"}, sample); err == nil || !strings.Contains(err.Error(), "unknown here") {
			t.Errorf("the recipient is not refused: %v", err)
		}
	}
	if err := deliver(t, d, []string{"bad@example.test"}, sample); err != nil {
		t.Errorf("after two times: %v", err)
	}
	if n := len(d.Await(3)); n != 3 {
		t.Errorf("%d mails were kept, want 3", n)
	}
}

func TestSurvives(t *testing.T) {
	t.Parallel()
	pool := dbtest.Empty(t).Pool
	if _, err := maildrop.Open(t.Context(), pool, maildrop.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `
		INSERT INTO mail (received_at, sender, recipients, subject, message_id, raw)
		VALUES (now(), 'a', '{b}', 's', 'm', 'x')`); err != nil {
		t.Fatal(err)
	}
	again, err := maildrop.Open(t.Context(), pool, maildrop.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if mails, err := again.Wait(t.Context(), 1); err != nil || len(mails) != 1 || mails[0].Fault == "" {
		t.Errorf("got %+v, %v, want the one unreadable mail", mails, err)
	}
}

// TestWait proves that Wait sees a mail come, and gives up with its context.
func TestWait(t *testing.T) {
	t.Parallel()
	d := maildroptest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting in vain ends with %v, want the context's error", err)
	}
	came := make(chan int)
	go func() {
		mails, err := d.Wait(t.Context(), 1)
		if err != nil {
			t.Errorf("Wait = %v", err)
		}
		came <- len(mails)
	}()
	if err := deliver(t, d, []string{"p@example.test"}, sample); err != nil {
		t.Fatal(err)
	}
	if n := <-came; n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

// TestCloseFirst proves that serving ends, whichever of Close and ServeSMTP comes first.
func TestCloseFirst(t *testing.T) {
	t.Parallel()
	pool := dbtest.Empty(t).Pool
	for range 20 {
		d, err := maildrop.Open(t.Context(), pool, maildrop.Options{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error)
		go func() { served <- d.ServeSMTP(l) }()
		if err := d.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close = %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("ServeSMTP = %v", err)
		}
	}
}
