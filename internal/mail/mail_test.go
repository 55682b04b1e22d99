package mail_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/mail"
	"ribambelle/internal/mail/maildrop"
	"ribambelle/internal/mail/maildrop/maildroptest"
)

const from = "Commune de Testville <ne-pas-repondre@testville.example>"

func setup(t *testing.T) (*mail.Sender, *maildroptest.Drop) {
	t.Helper()
	drop := maildroptest.Start(t)
	s, err := mail.NewSender(drop.SMTP, from)
	if err != nil {
		t.Fatal(err)
	}
	return s, drop
}

func message() mail.Message {
	return mail.Message{
		ID: "5b1c7c0e-reminder", To: "Élodie Dupont <elodie@example.test>", ReplyTo: "accueil@testville.example",
		Subject: "Fiche médicale à confirmer : été 2026", Text: "Bonjour,\n.\nUne ligne très longue " + strings.Repeat("é", 300) + "\n",
		HTML: "<p>Bonjour</p>", Language: "fr",
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	s, drop := setup(t)
	m := message()
	pdf := append([]byte("%PDF-1.4\n"), bytes.Repeat([]byte{0, 255, 10, 13}, 1000)...)
	m.Attachments = []mail.Attachment{{Name: "facture été.pdf", Type: "application/pdf", Data: pdf}}
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := drop.To("elodie@example.test")
	if len(got) != 1 {
		t.Fatalf("%d mails came, want 1", len(got))
	}
	g := got[0]
	if diff := cmp.Diff(m.Text, g.Text); diff != "" {
		t.Errorf("text (-want +got)\n%s", diff)
	}
	if g.HTML != m.HTML || g.Subject != m.Subject || g.From != "ne-pas-repondre@testville.example" || g.Fault != "" {
		t.Errorf("got %+v", g)
	}
	if len(g.Attachments) != 1 || g.Attachments[0].Name != "facture été.pdf" || g.Attachments[0].Type != "application/pdf" ||
		!bytes.Equal(g.Attachments[0].Data, pdf) {
		t.Errorf("the attachment did not survive: %d", len(g.Attachments))
	}
	for name, want := range map[string]string{
		"Message-Id": "<5b1c7c0e-reminder@testville.example>", "Auto-Submitted": "auto-generated",
		"X-Auto-Response-Suppress": "All", "Content-Language": "fr", "Reply-To": "<accueil@testville.example>",
		"From": `"Commune de Testville" <ne-pas-repondre@testville.example>`, "To": `Élodie Dupont <elodie@example.test>`,
	} {
		if g.Header[name] != want {
			t.Errorf("header %s is %q, want %q", name, g.Header[name], want)
		}
	}
	if _, shows := g.Header["User-Agent"]; shows || g.Header["Date"] == "" {
		t.Errorf("the headers are %v", g.Header)
	}
}

func TestSendTextOnly(t *testing.T) {
	t.Parallel()
	s, drop := setup(t)
	m := message()
	m.HTML = ""
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := drop.Await(1)[0]; got.Text != m.Text || got.HTML != "" || strings.Contains(got.Header["Content-Type"], "multipart") {
		t.Errorf("got %+v", got)
	}
}

func TestSendRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		refusal maildrop.Refusal
		want    mail.Kind
		kept    int
	}{
		"data 451":   {maildrop.Refusal{Stage: maildrop.StageData, Code: 451}, mail.KindTemporary, 0},
		"data 554":   {maildrop.Refusal{Stage: maildrop.StageData, Code: 554}, mail.KindRefused, 0},
		"line cut":   {maildrop.Refusal{Stage: maildrop.StageCut}, mail.KindTemporary, 1},
		"rcpt 450":   {maildrop.Refusal{Stage: maildrop.StageRcpt, Code: 450}, mail.KindTemporary, 0},
		"rcpt 550":   {maildrop.Refusal{Stage: maildrop.StageRcpt, Code: 550, Text: "<elodie@example.test> unknown"}, mail.KindRecipient, 0},
		"sender 421": {maildrop.Refusal{Stage: maildrop.StageMail, Code: 421}, mail.KindTemporary, 0},
		"sender 530": {maildrop.Refusal{Stage: maildrop.StageMail, Code: 530}, mail.KindDenied, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, drop := setup(t)
			drop.Script(tt.refusal)
			err := s.Send(t.Context(), message())
			var got *mail.Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a *mail.Error", err)
			}
			if got.Kind != tt.want || got.Code != tt.refusal.Code {
				t.Errorf("got %+v, want %s with %d", got, tt.want, tt.refusal.Code)
			}
			if text := err.Error(); strings.Contains(text, "@") || strings.Contains(text, "Fiche") || strings.Contains(text, "\n") {
				t.Errorf("the error tells whom or what: %s", text)
			}
			wantTemporary := tt.want == mail.KindTemporary || tt.want == mail.KindDenied
			if mail.Temporary(err) != wantTemporary {
				t.Errorf("Temporary is %v", !wantTemporary)
			}
			if n := len(drop.To("")); n != tt.kept {
				t.Errorf("%d mails were kept, want %d", n, tt.kept)
			}
			if err := s.Send(t.Context(), message()); err != nil {
				t.Errorf("the next try: %v", err)
			}
			ids := map[string]bool{}
			for _, m := range drop.Await(tt.kept + 1) {
				ids[m.MessageID] = true
			}
			if len(ids) != 1 {
				t.Errorf("a repeat has another Message-ID: %v", ids)
			}
		})
	}
}

func TestSendComposes(t *testing.T) {
	t.Parallel()
	s, drop := setup(t)
	for name, tt := range map[string]struct {
		change func(*mail.Message)
		want   mail.Kind
	}{
		"attachment with path": {func(m *mail.Message) { m.Attachments = []mail.Attachment{{Name: "../a.pdf", Type: "application/pdf"}} }, mail.KindRefused},
		"attachment with type": {func(m *mail.Message) { m.Attachments = []mail.Attachment{{Name: "a.pdf", Type: "pdf\r\nX: y"}} }, mail.KindRefused},
		"header in address":    {func(m *mail.Message) { m.To = "a@example.test\r\nBcc: b@example.test" }, mail.KindRecipient},
		"header in id":         {func(m *mail.Message) { m.ID = "a\r\nBcc: b" }, mail.KindRefused},
		"header in reply":      {func(m *mail.Message) { m.ReplyTo = "a@example.test\r\nBcc: b@example.test" }, mail.KindRefused},
		"header in subject":    {func(m *mail.Message) { m.Subject = "a\r\nBcc: b@example.test" }, mail.KindRefused},
		"no address":           {func(m *mail.Message) { m.To = "elodie" }, mail.KindRecipient},
		"no id":                {func(m *mail.Message) { m.ID = "" }, mail.KindRefused},
		"no subject":           {func(m *mail.Message) { m.Subject = " " }, mail.KindRefused},
		"no text":              {func(m *mail.Message) { m.Text = "" }, mail.KindRefused},
		"too large":            {func(m *mail.Message) { m.Text = strings.Repeat("x", 16<<20) }, mail.KindRefused},
		"two addresses":        {func(m *mail.Message) { m.To = "a@example.test, b@example.test" }, mail.KindRecipient},
	} {
		m := message()
		tt.change(&m)
		if err := s.Send(t.Context(), m); mail.KindOf(err) != tt.want || mail.Temporary(err) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	if n := len(drop.To("")); n != 0 {
		t.Errorf("%d of them were sent", n)
	}
}

// listen returns the address of a server that treats each connection with f.
func listen(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				f(conn)
			}()
		}
	}()
	return l.Addr().String()
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	silent := listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
	deaf := listen(t, func(c net.Conn) { _, _ = c.Write([]byte("554 no\r\n")) })
	plain := listen(t, func(c net.Conn) {
		_, _ = c.Write([]byte("220 x\r\n"))
		_, _ = c.Read(make([]byte, 100))
		_, _ = c.Write([]byte("250 x\r\n"))
		_, _ = c.Read(make([]byte, 100))
	})
	gone, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for name, tt := range map[string]struct {
		url  string
		want mail.Kind
	}{
		"no TLS offered":  {"smtp://" + plain + "?starttls=required", mail.KindDenied},
		"not listening":   {"smtp://" + gone.Addr().String(), mail.KindTemporary},
		"not TLS at all":  {"smtps://" + deaf, mail.KindDenied},
		"refuses to talk": {"smtp://" + deaf, mail.KindDenied},
		"says nothing":    {"smtp://" + silent, mail.KindTemporary},
		"takes no log-in": {"smtp://user:secret@" + plain + "?starttls=never", mail.KindDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := mail.NewSender(tt.url, from)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			begun := time.Now()
			for _, err := range []error{s.Check(ctx), s.Send(ctx, message())} {
				late := ctx.Err() != nil && mail.KindOf(err) == mail.KindTemporary // on a busy machine the context ends first
				if mail.KindOf(err) != tt.want && !late {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("the password shows: %v", err)
				}
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("the context's end was not seen for %v", took)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s, drop := setup(t)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check = %v", err)
	}
	if n := len(drop.To("")); n != 0 {
		t.Errorf("Check sent %d mails", n)
	}
}

func TestNewSender(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		url, from string
		ok        bool
	}{
		"bad port":          {"smtp://mail.test:0", from, false},
		"bad sender":        {"smtp://mail.test", "nobody", false},
		"full":              {"smtp://user:p%40ss@mail.test:587?starttls=required", from, true},
		"http":              {"http://mail.test", from, false},
		"implicit":          {"smtps://user:pass@mail.test", from, true},
		"implicit and more": {"smtps://mail.test?starttls=required", from, false},
		"no host":           {"smtp://:25", from, false},
		"path":              {"smtp://mail.test/x", from, false},
		"plain":             {"smtp://127.0.0.1:2525", "a@b.test", true},
		"unknown option":    {"smtp://mail.test?tls=1", from, false},
		"unknown value":     {"smtp://mail.test?starttls=maybe", from, false},
		"unreadable":        {"smtp://user:secret@[::1", from, false},
	} {
		s, err := mail.NewSender(tt.url, tt.from)
		if (err == nil) != tt.ok {
			t.Errorf("%s: NewSender = %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "p@ss")) {
			t.Errorf("%s: the password shows in %v", name, err)
		}
		if tt.ok && s.From() == "" {
			t.Errorf("%s: no sender", name)
		}
	}
}
