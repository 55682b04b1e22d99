package account_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

const phone = "+32475123456"

// families returns the room of families on the test's database.
func (b *bundle) families() *household.Store {
	return household.New(b.db, func() time.Time { return b.now }, b.box, b.jobs)
}

// letter enters a family with a number and prints its letter.
func (b *bundle) letter(t *testing.T, ref, phone string) (guardian uuid.UUID, code string) {
	t.Helper()
	rows := []household.FamilyRow{{Ref: ref, FirstName: "Nadia", LastName: "Benali" + ref, Phone: phone, Street: "Rue A 1", Postcode: "7180", City: "Seneffe"}}
	results, err := b.families().ImportFamilies(t.Context(), command, rows, false)
	if err != nil || results[0].Outcome != household.RowAdded {
		t.Fatalf("%+v (%v)", results, err)
	}
	codes, err := b.families().IssueClaims(t.Context(), command, []uuid.UUID{results[0].ID})
	if err != nil || len(codes) != 1 {
		t.Fatalf("%d letters (%v)", len(codes), err)
	}
	return results[0].ID, codes[0].Typed
}

// exec changes rows that a test may set up without the rooms.
func (b *bundle) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := b.db.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func activation(code, phone string) account.Activation {
	return account.Activation{Code: code, Phone: phone, Password: password}
}

// TestActivate: a letter and the number on file open an account without an e-mail address, once.
func TestActivate(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	guardian, code := b.letter(t, "1", phone)
	_, err := s.Activate(t.Context(), b.families(), activation(code, ""), remote)
	wantFields(t, err, "phone=account.phone_required")
	weak := activation(code, phone)
	weak.Password = "0475 12 34 56"
	_, err = s.Activate(t.Context(), b.families(), weak, remote)
	wantFields(t, err, "password=account.password_is_email")
	_, err = s.Activate(t.Context(), b.families(), activation("2222-2222-2222-2222", phone), remote)
	wantFields(t, err, "code=household.code_wrong")

	a, err := s.Activate(t.Context(), b.families(), activation(code, phone), remote)
	if err != nil || a.Phone != phone || a.Email != "" || a.Name != "Nadia Benali1" {
		t.Fatalf("%+v (%v)", a, err)
	}
	g, err := b.families().ByAccount(t.Context(), a.ID)
	if err != nil || g.ID != guardian || g.Email != "" {
		t.Errorf("the account signs in for %+v (%v)", g, err)
	}
	signIn(t, s, phone, password)
	_, err = s.Activate(t.Context(), b.families(), activation(code, phone), remote)
	wantFields(t, err, "code=household.code_wrong")
}

// TestActivateTellsNothing: who has a letter learns of no number but its own whether it has an account.
func TestActivateTellsNothing(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	_, first := b.letter(t, "1", phone)
	if _, err := s.Activate(t.Context(), b.families(), activation(first, phone), remote); err != nil {
		t.Fatal(err)
	}
	_, other := b.letter(t, "2", "+32486111222")
	for _, number := range []string{phone, "+32499000000"} { // taken, and nobody's
		_, err := s.Activate(t.Context(), b.families(), activation(other, number), remote)
		wantFields(t, err, "phone=account.phone_other")
	}
	_, same := b.letter(t, "3", phone) // the family's own number, taken by the first
	_, err := s.Activate(t.Context(), b.families(), activation(same, phone), remote)
	wantFields(t, err, "phone=account.phone_other")
	// And the letter is still good for an account by e-mail.
	a := parent(t, s, "nadia@example.be")
	if _, err := b.families().UseCode(t.Context(), a.ID, remote, other); err != nil {
		t.Error(err)
	}
}

// TestActivateIsThrottled: codes are not to be guessed, by number and by address.
func TestActivateIsThrottled(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	_, code := b.letter(t, "1", phone)
	for range 8 {
		_, err := s.Activate(t.Context(), b.families(), activation("2222-2222-2222-2222", phone), remote)
		wantFields(t, err, "code=household.code_wrong")
	}
	_, err := s.Activate(t.Context(), b.families(), activation(code, phone), remote)
	wantProblem(t, err, problem.KindConflict, "household.code_locked")
	b.pass(time.Hour + time.Second)
	if _, err := s.Activate(t.Context(), b.families(), activation(code, phone), remote); err != nil {
		t.Error(err)
	}
}

// TestPhoneLock: the lock holds for a number as for an address, and each locks itself alone.
func TestPhoneLock(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	_, code := b.letter(t, "1", phone)
	if _, err := s.Activate(t.Context(), b.families(), activation(code, phone), remote); err != nil {
		t.Fatal(err)
	}
	parent(t, s, "anne@example.be")
	for _, identifier := range []string{phone, "+32499000000"} { // with an account and without: alike
		for i := range account.EmailAttempts {
			_, _, err := s.SignIn(t.Context(), identifier, "wrong password", fmt.Sprintf("192.0.2.%d", i), "")
			wantProblem(t, err, problem.KindInvalid, "account.wrong")
		}
		_, _, err := s.SignIn(t.Context(), identifier, password, "192.0.2.99", "")
		wantProblem(t, err, problem.KindConflict, "account.locked")
	}
	signIn(t, s, "anne@example.be", password)
	b.pass(account.AttemptWindow)
	signIn(t, s, phone, password)
}

// TestResetByCode: a forgotten password without e-mail address: a code of the counter, good once, for its own number
// alone; every session ends and a lock is lifted.
func TestResetByCode(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	guardian, code := b.letter(t, "1", phone)
	_, err := s.IssueReset(t.Context(), b.families(), command, guardian)
	wantProblem(t, err, problem.KindConflict, "household.nobody_signs_in")
	a, err := s.Activate(t.Context(), b.families(), activation(code, phone), remote)
	if err != nil {
		t.Fatal(err)
	}
	old := signIn(t, s, phone, password)
	for i := range account.EmailAttempts {
		_, _, _ = s.SignIn(t.Context(), phone, "wrong password", fmt.Sprintf("192.0.2.%d", i), "")
	}
	before, err := s.IssueReset(t.Context(), b.families(), command, guardian)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.IssueReset(t.Context(), b.families(), command, guardian)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct{ number, code string }{{phone, before.Typed}, {"+32486111222", c.Typed}, {phone, code}} {
		wantFields(t, s.ResetByCode(t.Context(), b.families(), v.number, v.code, another, remote), "code=household.code_wrong")
	}
	_, err = b.families().UseCode(t.Context(), parent(t, s, "thief@example.be").ID, remote, c.Typed)
	wantFields(t, err, "code=household.code_wrong") // it gives nobody a family
	if err := s.ResetByCode(t.Context(), b.families(), phone, c.Typed, another, remote); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(t.Context(), old); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("the old session lives: %v", err)
	}
	signIn(t, s, phone, another)
	wantFields(t, s.ResetByCode(t.Context(), b.families(), phone, c.Typed, password, remote), "code=household.code_wrong")

	if err := s.SetRoles(t.Context(), command, a.ID, []string{account.RoleAgent}); err != nil {
		t.Fatal(err)
	}
	_, err = s.IssueReset(t.Context(), b.families(), command, guardian)
	wantProblem(t, err, problem.KindConflict, "account.reset_by_mail") // an agent opens no other agent's account
}

// TestOpenAtCounter: staff open an account by number and hand over the code for its password.
func TestOpenAtCounter(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	guardian, letter := b.letter(t, "1", "")
	other, _ := b.letter(t, "2", "")
	_, err := s.OpenAtCounter(t.Context(), b.families(), command, guardian, "0475")
	wantFields(t, err, "phone=account.phone_invalid")
	c, err := s.OpenAtCounter(t.Context(), b.families(), command, guardian, phone)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.OpenAtCounter(t.Context(), b.families(), command, guardian, "+32486111222")
	wantProblem(t, err, problem.KindConflict, "household.signs_in")
	_, err = s.OpenAtCounter(t.Context(), b.families(), command, other, phone)
	wantProblem(t, err, problem.KindConflict, "account.phone_taken")
	_, _, err = s.SignIn(t.Context(), phone, "", remote, "")
	wantProblem(t, err, problem.KindInvalid, "account.wrong")
	if err := s.ResetByCode(t.Context(), b.families(), phone, c.Typed, password, remote); err != nil {
		t.Fatal(err)
	}
	signIn(t, s, phone, password)
	_, err = s.Activate(t.Context(), b.families(), activation(letter, phone), remote)
	wantFields(t, err, "code=household.code_wrong") // the letter ended when the account was opened
	if n := len(b.mails(t)); n != 0 {
		t.Errorf("%d mails for an account without address", n)
	}
	if err := s.RequestReset(t.Context(), phone); err != nil {
		t.Error(err)
	}
	if n := len(b.mails(t)); n != 0 {
		t.Errorf("%d mails for an account without address", n)
	}
}

// TestActivateByLinkKnown: an address whose owner has an account is not taken over; one that nobody proved is.
func TestActivateByLinkKnown(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	rows := []household.FamilyRow{{Ref: "1", FirstName: "Nadia", LastName: "Benali", Email: "Nadia@example.be", Street: "Rue A 1", Postcode: "7180", City: "Seneffe"}}
	results, err := b.families().ImportFamilies(t.Context(), command, rows, false)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := b.families().MailClaims(t.Context(), command, []uuid.UUID{results[0].ID}); err != nil || n != 1 {
		t.Fatalf("%d mails (%v)", n, err)
	}
	codes, err := b.families().Handed(t.Context(), results[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	_, _, link, err := b.families().ClaimMail(t.Context(), b.db, codes[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SignUp(t.Context(), account.SignUp{Email: "nadia@example.be", Name: "Mallory", Password: another}); err != nil {
		t.Fatal(err)
	}
	_, stale := b.lastMail(t, s)
	b.exec(t, `UPDATE guardian SET email = 'other@example.be'`)
	_, err = s.ActivateByLink(t.Context(), b.families(), link, password, "")
	wantProblem(t, err, problem.KindGone, "household.link_dead") // it proves the former address
	b.exec(t, `UPDATE guardian SET email = 'Nadia@example.be'`)
	_, err = s.ActivateByLink(t.Context(), b.families(), link[:len(link)-8]+"AAAAAAAA", password, "")
	wantProblem(t, err, problem.KindGone, "household.link_dead")
	a, err := s.ActivateByLink(t.Context(), b.families(), link, password, "")
	if err != nil || a.Name != "Nadia Benali" || a.ConfirmedAt == nil {
		t.Fatalf("%+v (%v)", a, err)
	}
	if _, err := s.Confirm(t.Context(), stale); !problem.Is(err, problem.KindGone) {
		t.Errorf("the stranger's link lives: %v", err)
	}
	_, _, err = s.SignIn(t.Context(), "nadia@example.be", another, remote, "")
	wantProblem(t, err, problem.KindInvalid, "account.wrong")
	signIn(t, s, "nadia@example.be", password)

	parent(t, s, "karim@example.be")
	rows[0].Ref, rows[0].FirstName, rows[0].Email = "2", "Karim", "karim@example.be"
	if results, err = b.families().ImportFamilies(t.Context(), command, rows, false); err != nil {
		t.Fatal(err)
	}
	if _, err := b.families().MailAllClaims(t.Context(), command); err != nil {
		t.Fatal(err)
	}
	if codes, err = b.families().Handed(t.Context(), results[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, _, link, err = b.families().ClaimMail(t.Context(), b.db, codes[0].ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.ActivateByLink(t.Context(), b.families(), link, password, "")
	wantProblem(t, err, problem.KindConflict, "account.activation_known")
}
