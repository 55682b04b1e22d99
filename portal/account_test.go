package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/portal/page"
)

// mailed returns the code in the newest mail of a purpose.
func (b *bundle) mailed(purpose string) string {
	b.t.Helper()
	ctx := context.Background()
	var id uuid.UUID
	err := b.db.QueryRow(ctx, `
		SELECT id
		FROM account_code
		WHERE purpose = @purpose
		ORDER BY created_at DESC
		LIMIT 1`, pgx.NamedArgs{"purpose": purpose}).Scan(&id)
	if err != nil {
		b.t.Fatal(err)
	}
	_, _, _, token, _, err := b.config.Account.CodeMail(ctx, id)
	if err != nil {
		b.t.Fatal(err)
	}
	return token
}

func TestSignUpConfirmSignInOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.browser()
	bad := w.send("/inscription-compte", "name", "Sophie <b>", "email", "sophie", "password", "court")
	if bad.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("a faulty form answers %d, want 422", bad.StatusCode)
	}
	bad.has(t, ".notice.stop", "Cette adresse e-mail n’est pas complète")
	if href, _ := bad.doc.Find(".notice.stop a").First().Attr("href"); href != "#f-email" {
		t.Errorf("the summary links to %q, want #f-email", href)
	}
	if by, _ := bad.doc.Find("#f-email").Attr("aria-describedby"); !strings.Contains(by, "f-email-error") {
		t.Errorf("the input is described by %q", by)
	}
	if v, _ := bad.doc.Find("#f-name").Attr("value"); v != "Sophie <b>" {
		t.Errorf("the name became %q", v)
	}
	if v, _ := bad.doc.Find("#f-password").Attr("value"); v != "" {
		t.Error("the password is shown again")
	}
	w.send("/inscription-compte", "name", "Sophie Lambert", "email", "sophie@example.test", "password", "correct horse battery").to(t, "/inscription-compte/envoye")
	w.see("/inscription-compte/envoye").has(t, "main", "Regardez vos e-mails")

	w.send("/connexion", "email", "sophie@example.test", "password", "correct horse battery").has(t, ".notice.stop", "pas encore confirmée")

	code := b.mailed("confirm")
	w.see("/confirmation?code=" + code)
	if b.count(`SELECT count(*) FROM account WHERE confirmed_at IS NOT NULL`) != 0 {
		t.Fatal("opening the link confirmed the account: mail programs open links by themselves")
	}
	w.send("/confirmation", "code", code).to(t, "/connexion")
	w.see("/connexion").has(t, ".notice.ok", "Votre adresse est confirmée")
	if again := w.see("/connexion").text(".notice.ok"); again != "" {
		t.Errorf("the message %q is shown twice", again)
	}
	if again := w.send("/confirmation", "code", code); again.StatusCode != http.StatusGone {
		t.Errorf("a used code answers %d, want 410", again.StatusCode)
	}

	wrong := w.send("/connexion", "email", "sophie@example.test", "password", "wrong horse battery", "suite", "/mon-espace/factures")
	wrong.has(t, ".notice.stop", "n’est pas correct")
	if v, _ := wrong.doc.Find("input[name=suite]").Attr("value"); v != "/mon-espace/factures" {
		t.Errorf("where to go became %q", v)
	}
	in := w.send("/connexion", "email", "SOPHIE@example.test", "password", "correct horse battery", "suite", "/mon-espace/")
	in.to(t, "/mon-espace/")
	c := in.Header.Get("Set-Cookie")
	if !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") {
		t.Errorf("the cookie is %q", c)
	}
	w.see("/mon-espace/").has(t, "h1", "Bienvenue")
	w.send("/deconnexion").to(t, "/")
	w.get("/mon-espace/").to(t, "/connexion?suite=%2Fmon-espace%2F")
	if n := b.count(`SELECT count(*) FROM user_session`); n != 0 {
		t.Errorf("%d sessions live after signing out", n)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.person("sophie@example.test", "Sophie Lambert")
	w := b.browser()
	w.send("/mot-de-passe", "email", "personne@example.test").to(t, "/mot-de-passe/envoye")
	w.send("/mot-de-passe", "email", "sophie@example.test").to(t, "/mot-de-passe/envoye")
	code := b.mailed("reset")
	if v, _ := w.see("/mot-de-passe/nouveau?code=" + code).doc.Find("input[name=code]").Attr("value"); v != code {
		t.Errorf("the form carries %q, want the code", v)
	}
	short := w.send("/mot-de-passe/nouveau", "code", code, "password", "x")
	if v, _ := short.doc.Find("input[name=code]").Attr("value"); short.StatusCode != http.StatusUnprocessableEntity || v != code {
		t.Fatalf("a weak password answers %d with code %q", short.StatusCode, v)
	}
	w.send("/mot-de-passe/nouveau", "code", code, "password", "another horse battery").to(t, "/connexion")
	w.send("/connexion", "email", "sophie@example.test", "password", "another horse battery").to(t, "/mon-espace/")
}

func TestSecureCookieBehindHTTPS(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.PublicURL = "https://stages.example" })
	b.person("sophie@example.test", "Sophie Lambert")
	in := b.browser().send("/connexion", "email", "sophie@example.test", "password", "correct horse battery")
	if c := in.Header.Get("Set-Cookie"); !strings.HasPrefix(c, "__Host-ribambelle=") || !strings.Contains(c, "Secure") {
		t.Errorf("the cookie is %q", c)
	}
	if in.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no Strict-Transport-Security behind https")
	}
}

func TestSignInLeadsHome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for email, c := range map[string]struct{ role, home string }{
		"agent@example.test": {"agent", "/gestion/"}, "anim@example.test": {"leader", "/animateur/"},
	} {
		b.person(email, "Qui", c.role)
		b.browser().send("/connexion", "email", email, "password", "correct horse battery").to(t, c.home)
	}
}

func TestDemoOffersItsAccounts(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) {
		c.Demo = &page.Demo{MailURL: "http://127.0.0.1:1/", Accounts: []page.DemoAccount{{Role: "Parent", Email: "parent@example.test", Password: "correct horse battery"}}}
	})
	b.person("parent@example.test", "Parent")
	a := b.browser().see("/connexion")
	form := a.doc.Find(".tasks form")
	email, _ := form.Find("[name=email]").Attr("value")
	password, _ := form.Find("[name=password]").Attr("value")
	b.browser().send("/connexion", "email", email, "password", password).to(t, "/mon-espace/")
	real := setup(t, func(c *Config) { c.Demo = nil })
	if got := real.browser().see("/connexion").doc.Find(".demo, .tasks").Length(); got != 0 {
		t.Error("an installation that is real speaks of a demonstration")
	}
}

func TestLargeBodyIsRefused(t *testing.T) {
	t.Parallel()
	a := setup(t).browser().send("/connexion", "email", strings.Repeat("x", bodyLimit))
	if a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status is %d, want 413", a.StatusCode)
	}
}
