package portal

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
)

// other makes a second signed-in adult, somebody else than the one of family.
func (b *bundle) other(email, first, last, phone string) (*browser, account.Account, household.Guardian) {
	b.t.Helper()
	w, a := b.person(email, first+" "+last)
	g, err := b.config.Household.SaveGuardian(context.Background(), a.ID, household.GuardianForm{
		FirstName: first, LastName: last, Phone: phone, Street: "Chaussée de Mons 9", Postcode: "7060", City: "Soignies",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return w, a, g
}

// TestFamilyCode: a separated family's story: the mother makes a code, the father types it in, both read the outcome,
// and neither reads where the other lives or how to reach them until it is shared.
func TestFamilyCode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mother, a := b.person("sophie@example.be", "Sophie Lambert")
	f := b.family(a)
	father, _, _ := b.other("marc@example.be", "Marc", "Dujardin", "+32486111222")

	bad := mother.send("/mon-espace/famille/inviter", "what", "usual")
	if bad.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("an empty form is answered %d", bad.StatusCode)
	}
	at := mother.send("/mon-espace/famille/inviter", "children", f.child.ID.String(), "basis", "parental_authority", "what", "usual").
		to(t, "/mon-espace/famille/codes/")
	code := mother.see(at).text("main .lead strong")
	if !regexp.MustCompile(`^[2-9A-Z]{4}(-[2-9A-Z]{4}){3}$`).MatchString(code) {
		t.Fatalf("the page shows the code %q", code)
	}
	if got := father.get(at); got.StatusCode != http.StatusNotFound {
		t.Errorf("a stranger opens the page of the code: %d", got.StatusCode)
	}
	wrong := father.send("/mon-espace/famille/code", "code", "2222-AAAA-AAAA-AAAA")
	if wrong.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a wrong code is answered %d", wrong.StatusCode)
	}
	father.send("/mon-espace/famille/code", "code", strings.ToLower(code)).to(t, "/mon-espace/famille")
	circle := father.see("/mon-espace/famille")
	circle.has(t, "main", "Léa Lambert")
	circle.has(t, "main", "Sophie Lambert")
	for _, private := range []string{"Rue du Moulin", "7090", "sophie@example.be", "0475 12 34 56", "+32475123456"} {
		if strings.Contains(circle.body, private) {
			t.Errorf("the father reads %q", private)
		}
	}
	mother.see("/mon-espace/famille").has(t, "main", "Utilisé par Marc Dujardin")
	mother.send("/mon-espace/famille/enfants/"+f.child.ID.String()+"/coordonnees", "partager", "oui").to(t, "/mon-espace/famille")
	circle = father.see("/mon-espace/famille")
	circle.has(t, "main", "0475 12 34 56")
	if strings.Contains(circle.body, "Rue du Moulin") {
		t.Error("sharing a telephone shares the address")
	}
}

// TestFamilyMember: somebody of a children's home acts with its rights, in its name, and the history names the person.
func TestFamilyMember(t *testing.T) {
	t.Parallel()
	b := setup(t)
	office, _ := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	_, a := b.person("sophie@example.be", "Sophie Lambert")
	f := b.family(a)
	educator, e := b.person("educ@example.be", "Paul Renard")
	office.send("/gestion/organismes", "last_name", "Les Tilleuls", "phone", "064 55 66 77", "street", "Rue des Tilleuls 1", "postcode", "7180", "city", "Seneffe").
		to(t, "/gestion/organismes")
	var home uuid.UUID
	if err := b.db.QueryRow(context.Background(), `SELECT id FROM guardian WHERE kind = 'organisation'`).Scan(&home); err != nil {
		t.Fatal(err)
	}
	office.send("/gestion/organismes/"+home.String()+"/membres", "member_email", "educ@example.be").to(t, "/gestion/organismes")
	link := "/gestion/liens/" + home.String() + "/" + f.child.ID.String()
	if got := office.send(link, "basis", "placement"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a placement without proof is answered %d", got.StatusCode)
	}
	office.send(link, "basis", "placement", "proof", "SAJ 2027/12").to(t, link)
	office.see(link).has(t, "main", "SAJ 2027/12")

	educator.see("/mon-espace/famille").has(t, "main", "Léa Lambert")
	camp := b.camp()
	b.exec(`UPDATE camp SET published = true, opens_at = now() - interval '10 years' WHERE id = $1`, camp)
	got, err := b.config.Enrol.Register(audit.WithAccount(context.Background(), e.ID), home, enrol.Request{Key: uuid.New(), ChildID: f.child.ID, CampID: camp})
	if err != nil {
		t.Fatal(err)
	}
	if n := b.count(`SELECT count(*) FROM registration_event WHERE registration_id = $1 AND from_state IS NULL AND actor_id = $2`, got.ID, e.ID.String()); n != 1 {
		t.Error("the history does not name the educator")
	}
	office.send("/gestion/organismes/"+home.String()+"/membres/fin", "account", e.ID.String()).to(t, "/gestion/organismes")
	educator.get("/mon-espace/famille").to(t, "/mon-espace/coordonnees")
}

var idVars = regexp.MustCompile(`\{(\w+)(:[^{}]*(\{[^{}]*\}[^{}]*)*)?\}`)

// TestBlockedGuardianLearnsNothing crawls every page that a GET reaches with the session of a father who was blocked
// and of a stranger, with the ids of the child, its registration, payment, invoice and codes in every address: the two
// read the same, word for word, and nowhere the child's name, its camp or its ids.
func TestBlockedGuardianLearnsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := context.Background()
	mother, a := b.person("sophie@example.be", "Sophie Lambert")
	f := b.family(a)
	campID := b.camp()
	b.exec(`UPDATE camp SET published = true, opens_at = now() - interval '10 years' WHERE id = $1`, campID)
	// The father registered and pays; then the judge decided.
	blocked, ba, father := b.other("marc@example.be", "Marc", "Dujardin", "+32486111222")
	stranger, sa, nobody := b.other("nobody@example.be", "Marc", "Dujardin", "+32486333444")
	command := audit.Command("test")
	if err := b.config.Household.Grant(ctx, command, father.ID, f.child.ID, household.Grant{Basis: household.BasisParentalAuthority}); err != nil {
		t.Fatal(err)
	}
	reg, err := b.config.Enrol.Register(ctx, father.ID, enrol.Request{Key: uuid.New(), ChildID: f.child.ID, CampID: campID})
	if err != nil {
		t.Fatal(err)
	}
	agent, _ := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	agent.send("/gestion/inscriptions/" + reg.ID.String() + "/valider")
	payment := uuid.New()
	b.exec(`
		INSERT INTO payment (id, due_id, provider, cents, status, created_at, checked_at)
		SELECT $1, id, 'mollie', 6000, 'paid', now(), now() FROM due WHERE registration_id = $2`, payment, reg.ID)
	invoice := uuid.New()
	b.exec(`
		INSERT INTO invoice (id, year, number, due_id, registration_id, payer_id, issued_at, total_cents, content)
		SELECT $1, 2027, 999, d.id, d.registration_id, d.payer_id, now(), 6000,
		  '{"Number": "F2027-0999", "Child": "Léa Lambert", "Camp": "Les explorateurs du canal", "Lines": [{"Label": "price.camp", "Args": ["Les explorateurs du canal"], "Cents": 6000}]}'
		FROM due d WHERE d.registration_id = $2`, invoice, reg.ID)
	invited, err := b.config.Household.Invite(ctx, father.ID, household.Invite{ChildIDs: []uuid.UUID{f.child.ID}, Basis: household.BasisOther})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]uuid.UUID{"child": f.child.ID, "registration": reg.ID, "payment": payment, "invoice": invoice, "code": invited.ID, "mother": a.ID}
	if n := b.count(`SELECT count(*) FROM payment`) + b.count(`SELECT count(*) FROM invoice`); n != 2 {
		t.Fatalf("the father has %d payments and invoices, want 2", n)
	}
	// Before the block the crawl finds the child: otherwise it would prove nothing.
	secrets := []string{"Léa", "Lambert", f.child.ID.String(), reg.ID.String(), "F2027-0999", invited.Typed}
	seen := 0
	own := []string{
		father.ID.String(), "ME", nobody.ID.String(), "ME", ba.ID.String(), "ME", sa.ID.String(), "ME",
		"marc@example.be", "MINE", "nobody@example.be", "MINE", "0486 11 12 22", "MINE", "0486 33 34 44", "MINE",
	}
	reference, key := regexp.MustCompile(`\b[2-9A-Z]{4}-[2-9A-Z]{4}</strong>`), regexp.MustCompile(`name="key" value="[^"]*"`)
	scrub := func(body string) string {
		return key.ReplaceAllString(reference.ReplaceAllString(strings.NewReplacer(own...).Replace(body), "REFERENCE"), "KEY")
	}
	crawl := func(w *browser) map[string]string {
		pages := map[string]string{}
		for _, rt := range (&server{Config: b.config}).routes() {
			if rt.method != get || strings.HasPrefix(rt.pattern, "/gestion") {
				continue
			}
			for name, id := range ids {
				path := idVars.ReplaceAllStringFunc(rt.pattern, func(v string) string {
					if strings.HasPrefix(v, "{id") || strings.HasPrefix(v, "{child") {
						return id.String()
					}
					return "x"
				})
				got := w.get(path)
				body := scrub(got.body)
				// The id that was asked for may stand in a way back.
				pages[rt.pattern+" "+name] = got.Status + " " + got.Header.Get("Location") + "\n" + strings.ReplaceAll(body, url.QueryEscape(path), "ASKED")
			}
		}
		return pages
	}
	for _, page := range crawl(blocked) {
		for _, s := range secrets {
			if strings.Contains(page, s) {
				seen++
			}
		}
	}
	if seen < 20 {
		t.Fatalf("before the block the father finds the child %d times: the crawl proves nothing", seen)
	}
	if _, err := b.config.Household.Block(ctx, command, father.ID, f.child.ID, household.BlockForm{Decision: "TJ 2027/4", Until: civil.NewDate(2028, 5, 3)}); err != nil {
		t.Fatal(err)
	}
	his, theirs := crawl(blocked), crawl(stranger)
	for where, page := range his {
		if diff := cmp.Diff(theirs[where], page); diff != "" {
			t.Errorf("%s differs from a stranger's (-stranger +blocked):\n%s", where, diff)
		}
		for _, s := range []string{"Léa", "Lambert", "F2027-0999", invited.Typed} {
			if strings.Contains(page, s) {
				t.Errorf("%s tells %q", where, s)
			}
		}
	}
	// The mother's code, typed by him, is a wrong code.
	good, err := b.config.Household.Invite(ctx, f.guardian.ID, household.Invite{ChildIDs: []uuid.UUID{f.child.ID}, Basis: household.BasisOther})
	if err != nil {
		t.Fatal(err)
	}
	right, wrong := blocked.send("/mon-espace/famille/code", "code", good.Typed), blocked.send("/mon-espace/famille/code", "code", "2222-AAAA-AAAA-AAAA")
	if diff := cmp.Diff(wrong.text("main"), right.text("main")); diff != "" || right.StatusCode != wrong.StatusCode {
		t.Errorf("a good code, blocked: %d, a wrong one: %d (-wrong +good):\n%s", right.StatusCode, wrong.StatusCode, diff)
	}
	// Acts answer as for what does not exist.
	for _, path := range []string{
		"/mon-espace/inscriptions/{}/annuler", "/mon-espace/inscriptions/{}/place", "/mon-espace/inscriptions/{}/accord", "/mon-espace/inscriptions/{}/payer", "/mon-espace/enfants/{}",
		"/mon-espace/enfants/{}/fiche", "/mon-espace/enfants/{}/fiche-medicale", "/mon-espace/enfants/{}/fiche-medicale/confirmer",
		"/mon-espace/famille/enfants/{}/coordonnees", "/mon-espace/famille/codes/{}/annuler",
	} {
		for _, id := range ids {
			real := strings.ReplaceAll(path, "{}", id.String())
			none := strings.ReplaceAll(path, "{}", uuid.NewString())
			x, y := blocked.send(real, "reason", "x", "version", "1"), blocked.send(none, "reason", "x", "version", "1")
			if diff := cmp.Diff(scrub(strings.ReplaceAll(y.body, none, real)), scrub(x.body)); diff != "" || x.StatusCode != y.StatusCode {
				t.Errorf("%s: %d, and %d for what does not exist (-nothing +blocked):\n%s", path, x.StatusCode, y.StatusCode, diff)
			}
		}
	}
	mother.see("/mon-espace/inscriptions").has(t, "main", "Léa")
}
