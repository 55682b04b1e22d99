package crash

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/civil"
)

var confirmLink = regexp.MustCompile(`/confirmation\?code=(\S+)`)

// live is what one family does from its first visit on: it joins, adds a child, writes the sheet, asks for places in
// every camp, pays what it may, and sometimes changes its mind. It returns when all its children are served; errors are
// only the end of the run.
func (w *world) live(ctx context.Context, children int) error {
	s := newSession(w)
	key := strings.ToLower(rand.Text()[:8])
	email, password := "famille."+key+"@crash.example", "mot secret "+key+" soleil"
	w.notes.do(func(n *notes) { n.secrets = append(n.secrets, password) })
	if err := s.join(ctx, email, password, key); err != nil {
		return err
	}
	var mine []string
	for i := range children {
		child, err := s.child(ctx, key, i)
		if err != nil {
			return err
		}
		for _, camp := range w.camps {
			id, err := s.register(ctx, child, camp)
			if errors.Is(err, errRefused) {
				continue
			}
			if err != nil {
				return err
			}
			mine = append(mine, id)
		}
		if err := s.settle(ctx, mine); err != nil {
			return err
		}
	}
	// The agent needs a moment; what can be paid meanwhile is paid.
	for range 6 {
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		if err := s.settle(ctx, mine); err != nil {
			return err
		}
	}
	if len(mine) > 0 && mathrand.IntN(3) == 0 {
		return s.withdraw(ctx, mine[mathrand.IntN(len(mine))])
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// join makes the account, proves the address by mail, signs in and gives the details.
func (s *session) join(ctx context.Context, email, password, key string) error {
	if _, err := s.send(ctx, "/inscription-compte", url.Values{"name": {"Famille " + key}, "email": {email}, "password": {password}}); err != nil {
		return err
	}
	tried := map[string]bool{}
	err := insist(ctx, func(ctx context.Context) error {
		if err := s.proveAddress(ctx, email, tried); err != nil {
			return err
		}
		// An answer that got lost makes the second try fail: the code is used. Signing in shows that it was. A form that was
		// sent twice made a second mail, whose code alone counts: it may still be under way.
		if err := s.signIn(ctx, email, password); err != nil {
			return fmt.Errorf("signing in: %s", err) //nolint:errorlint // refused now is not refused for ever
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = s.send(ctx, "/mon-espace/coordonnees", url.Values{
		"first_name": {"Parent"}, "last_name": {"Crash" + key}, "phone": {"0475123456"}, "email": {email},
		"street": {"Rue des Tilleuls 8"}, "postcode": {"4599"}, "city": {"Valmont"}, "channel": {"email"},
	})
	return err
}

// proveAddress follows the links of the mails that came and were not followed yet.
func (s *session) proveAddress(ctx context.Context, email string, tried map[string]bool) error {
	mails, err := s.w.house.Mails(ctx, email)
	if err != nil {
		return err
	}
	for _, m := range mails {
		found := confirmLink.FindStringSubmatch(m.Text)
		if found == nil || tried[found[1]] {
			continue
		}
		plain, err := url.QueryUnescape(found[1])
		if err != nil {
			return err
		}
		s.w.notes.do(func(n *notes) { n.tokens = append(n.tokens, plain) })
		if _, err := s.send(ctx, "/confirmation", url.Values{"code": {plain}}); err != nil && !errors.Is(err, errRefused) {
			return err
		}
		tried[found[1]] = true
	}
	if len(tried) == 0 {
		return errors.New("no mail yet")
	}
	return nil
}

func (s *session) signIn(ctx context.Context, email, password string) error {
	if _, err := s.send(ctx, "/connexion", url.Values{"email": {email}, "password": {password}}); err != nil {
		return err
	}
	u, err := url.Parse(s.w.house.Portal)
	if err != nil {
		return err
	}
	for _, c := range s.http.Jar.Cookies(u) {
		if len(c.Value) > 20 {
			s.w.notes.do(func(n *notes) { n.tokens = append(n.tokens, c.Value) })
		}
	}
	return nil
}

// child adds a child with a sheet and a national number and returns its id.
func (s *session) child(ctx context.Context, family string, i int) (string, error) {
	name := fmt.Sprintf("Crash%s%d", family, i)
	year := time.Now().In(civil.Brussels).Year() - 8
	nn := nationalNumber(year%100, mathrand.IntN(900)+50)
	_, err := s.send(ctx, "/mon-espace/enfants/nouveau", url.Values{
		"key": {uuid.NewString()}, "first_name": {"Enfant"}, "last_name": {name},
		"birth_date_day": {"27"}, "birth_date_month": {"3"}, "birth_date_year": {fmt.Sprint(year)},
		"level": {"P3"}, "basis": {"parental_authority"}, "national_number": {nn},
	})
	if err != nil {
		return "", err
	}
	home, err := s.page(ctx, "/mon-espace/")
	if err != nil {
		return "", err
	}
	id := ""
	for _, a := range home.doc.Find(`a[href^="/mon-espace/enfants/"]`).EachIter() {
		if strings.Contains(a.Text(), name) {
			id = strings.TrimPrefix(a.AttrOr("href", ""), "/mon-espace/enfants/")
		}
	}
	if _, err := uuid.Parse(id); err != nil {
		return "", fmt.Errorf("%w: the child is not on the family's page", errRefused)
	}
	illness := "allergene-" + strings.ToLower(rand.Text()[:12])
	s.w.notes.do(func(n *notes) {
		n.names = append(n.names, "Enfant "+name)
		n.secrets = append(n.secrets, illness, nn, nn[:2]+"."+nn[2:4]+"."+nn[4:6]+"-"+nn[6:9]+"."+nn[9:])
	})
	sheet := url.Values{
		"has_allergies": {"yes"}, "allergies.0.to": {illness}, "allergies.0.severe": {"yes"}, "has_diseases": {"no"}, "takes_medication": {"no"}, "has_diet": {"no"},
		"allow_care": {"yes"}, "emergency.0.name": {"Mamy"}, "emergency.0.phone": {"0475 00 00 00"},
	}
	// An answer that got lost makes the second try a conflict of versions: the sheet is there.
	if _, err := s.send(ctx, "/mon-espace/enfants/"+id+"/fiche-medicale", sheet); err != nil && !errors.Is(err, errRefused) {
		return "", err
	}
	return id, nil
}

// nationalNumber makes a valid Belgian number of somebody born on 27 March 20yy.
func nationalNumber(yy, serial int) string {
	first := fmt.Sprintf("%02d0327%03d", yy, serial)
	var n int
	fmt.Sscan("2"+first, &n) //nolint:errcheck // digits
	return fmt.Sprintf("%s%02d", first, 97-n%97)
}

// register sends one request, again until there is an answer, and notes the registration that it was told.
func (s *session) register(ctx context.Context, child, camp string) (string, error) {
	address := "/stages/" + camp + "/inscription"
	bus, err := s.page(ctx, address+"?enfant="+child)
	if err != nil {
		return "", err
	}
	query := url.Values{"enfant": {child}}
	for _, name := range []string{"aller", "retour"} {
		stops := bus.doc.Find(`input[name="` + name + `"]`)
		if stops.Length() > 0 {
			query.Set(name, stops.Eq(mathrand.IntN(stops.Length())).AttrOr("value", "non"))
		}
	}
	check, err := s.page(ctx, address+"?"+query.Encode())
	if err != nil {
		return "", err
	}
	form := check.doc.Find(`form[action="` + address + `"][method=post]`)
	v := fields(form)
	if v.Get("key") == "" {
		return "", fmt.Errorf("%w: %s shows no form to send", errRefused, address)
	}
	v.Set("remark", "crash")
	v.Set("without_bus", "oui")
	var a answer
	err = insist(ctx, func(ctx context.Context) (err error) {
		s.w.notes.do(func(n *notes) { n.attempts++ })
		if a, err = s.ask(ctx, address, v); err != nil {
			return err
		}
		return s.led(a, address)
	})
	if err != nil {
		return "", err
	}
	id := strings.TrimSuffix(strings.TrimPrefix(a.location, "/mon-espace/inscriptions/"), "/recue")
	if _, err := uuid.Parse(id); err != nil {
		return "", fmt.Errorf("%w: led to %s", errRefused, a.location)
	}
	s.w.notes.do(func(n *notes) { n.registrations[id] = v.Get("key") })
	return id, nil
}

// settle pays, abandons or fails to pay what the family may pay now.
func (s *session) settle(ctx context.Context, mine []string) error {
	list, err := s.page(ctx, "/mon-espace/inscriptions")
	if err != nil {
		return err
	}
	for _, id := range mine {
		address := "/mon-espace/inscriptions/" + id + "/paiement"
		if list.doc.Find(`a[href="`+address+`"]`).Length() == 0 {
			continue
		}
		if err := s.pay(ctx, address); err != nil && !errors.Is(err, errRefused) {
			return err
		}
	}
	return nil
}

func (s *session) pay(ctx context.Context, address string) error {
	s.w.notes.do(func(n *notes) { n.asked++ })
	if _, err := s.send(ctx, address, url.Values{}); err != nil {
		return err
	}
	p, err := s.page(ctx, address)
	if err != nil {
		return err
	}
	checkout := p.doc.Find(`a[href^="`+s.w.house.Mollie+`/checkout/"]`).First().AttrOr("href", "")
	if checkout == "" {
		return nil // paid or confirmed meanwhile
	}
	action := "pay"
	switch mathrand.IntN(12) {
	case 0:
		action = "cancel"
	case 1:
		action = "fail"
	}
	err = insist(ctx, func(ctx context.Context) error {
		a, err := s.ask(ctx, checkout, url.Values{"action": {action}})
		if err == nil && a.status != 303 {
			err = fmt.Errorf("%w: the hosted page answers %d", errRefused, a.status)
		}
		return err
	})
	if err != nil {
		return err
	}
	if action == "pay" {
		s.w.notes.do(func(n *notes) { n.paid++ })
	}
	if mathrand.IntN(3) == 0 {
		return nil // the browser was closed: the webhook or the sweep must find it
	}
	_, err = s.page(ctx, address)
	return err
}

// withdraw gives a place back.
func (s *session) withdraw(ctx context.Context, id string) error {
	address := "/mon-espace/inscriptions/" + id + "/annuler"
	p, err := s.page(ctx, address)
	if err != nil {
		if errors.Is(err, errRefused) {
			return nil
		}
		return err
	}
	form := p.doc.Find(`form[action="` + address + `"]`)
	if form.Length() == 0 {
		return nil
	}
	v := fields(form)
	v.Set("reason", "crash")
	if _, err := s.send(ctx, address, v); err != nil && !errors.Is(err, errRefused) {
		return err
	}
	s.w.notes.do(func(n *notes) { n.withdrawn++ })
	return nil
}

// decide is the agent: says yes to what waits, sometimes no, until the run is over.
func (w *world) decide(ctx context.Context) error {
	s := newSession(w)
	if err := s.signIn(ctx, w.agent.Email, w.agent.Password); err != nil {
		return err
	}
	for {
		queue, err := s.page(ctx, "/gestion/inscriptions")
		if err != nil {
			return err
		}
		buttons := queue.doc.Find(`button[formaction$="/valider"]`)
		for _, b := range buttons.EachIter() {
			address := b.AttrOr("formaction", "")
			id := strings.Split(address, "/")[3]
			var err error
			if mathrand.IntN(10) == 0 {
				_, err = s.send(ctx, strings.TrimSuffix(address, "/valider")+"/refuser", url.Values{"reason": {"Pas cette fois."}})
			} else {
				_, err = s.send(ctx, address, url.Values{"from": {"queue"}})
			}
			if err == nil {
				w.notes.do(func(n *notes) { n.decided[id] = true })
			} else if !errors.Is(err, errRefused) {
				return err
			}
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// asHex is how bytes stand in a column of bytes.
func asHex(s string) string { return hex.EncodeToString([]byte(s)) }
