package portal

import (
	"net/http"
	"strings"

	"ribambelle/internal/account"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// ownAccountPage is what its owner sees of an account, a parent's or one of the office: how it is signed in to, where it
// is open now, who signed in lately, and the password.
type ownAccountPage struct {
	page.Base
	Account  account.Account
	Sessions []ownSession
	Others   int // sessions beside this one
	SignIns  []ownSignIn
	Form     *form.Form
}

// ownSession is a session with its device in words.
type ownSession struct {
	account.Session
	On string
}

type ownSignIn struct {
	account.SignIn
	On string
}

// shownSignIns is how far the page looks back.
const shownSignIns = 20

func (s *server) ownAccount(w http.ResponseWriter, r *http.Request) error {
	p, err := s.ownAccountPage(r, form.New())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "own_account", p)
}

func (s *server) ownAccountPage(r *http.Request, f *form.Form) (*ownAccountPage, error) {
	a, err := s.identify(r)
	if err != nil {
		return nil, err
	}
	p := &ownAccountPage{Base: s.base(r, s.locale(r).T("own.title")), Account: *a, Form: f}
	p.Section, p.NoIndex = "family", true
	sessions, err := s.Account.Sessions(r.Context(), a.ID, scopeOf(r).token)
	if err != nil {
		return nil, err
	}
	for _, v := range sessions {
		p.Sessions = append(p.Sessions, ownSession{Session: v, On: deviceWords(p.L, v.Device)})
		if !v.Current {
			p.Others++
		}
	}
	signIns, err := s.Account.SignIns(r.Context(), a.ID, shownSignIns)
	if err != nil {
		return nil, err
	}
	for _, v := range signIns {
		p.SignIns = append(p.SignIns, ownSignIn{SignIn: v, On: deviceWords(p.L, v.Device)})
	}
	return p, nil
}

// deviceWords says which browser on which system, as far as the browser told: « Firefox, Windows ». The order matters,
// since most browsers also call themselves by the name of another.
func deviceWords(l *locale.Locale, userAgent string) string {
	name := func(pairs [][2]string) string {
		for _, p := range pairs {
			if strings.Contains(userAgent, p[0]) {
				return p[1]
			}
		}
		return ""
	}
	browser := name([][2]string{{"Firefox/", "Firefox"}, {"FxiOS", "Firefox"}, {"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser", "Samsung Internet"}, {"CriOS", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}})
	system := name([][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Macintosh", "Mac"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}})
	if words := strings.Trim(browser+", "+system, ", "); words != "" {
		return words
	}
	return l.T("own.device_unknown")
}

// ownPassword changes the password of who knows the present one; every other session ends.
func (s *server) ownPassword(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.identify(r); err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	err = s.Account.ChangePassword(r.Context(), scopeOf(r).token, clientAddr(r), f.Raw("present"), f.Raw("password"))
	if p := problem.As(err); p != nil && p.Kind == problem.KindConflict {
		f.Add("present", p.Code, p.Args...)
		err = nil
	}
	if err := f.Take(err); err != nil {
		return err
	}
	if !f.OK() {
		p, err := s.ownAccountPage(r, f)
		if err != nil {
			return err
		}
		return s.refuse(w, r, "own_account", f, p)
	}
	s.flash(w, "flash.password_changed")
	return seeOther(w, r, "/mon-espace/compte")
}

// ownSessionEnd ends one session of one's own; one that has ended meanwhile is as good as ended here.
func (s *server) ownSessionEnd(w http.ResponseWriter, r *http.Request) error {
	a, err := s.identify(r)
	if err != nil {
		return err
	}
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	if err := s.Account.Revoke(r.Context(), a.ID, f.Text("session")); err != nil && !problem.Is(err, problem.KindNotFound) {
		return err
	}
	s.flash(w, "flash.session_ended")
	return seeOther(w, r, "/mon-espace/compte")
}

// ownSessionsEnd ends every session but the one that asks.
func (s *server) ownSessionsEnd(w http.ResponseWriter, r *http.Request) error {
	a, err := s.identify(r)
	if err != nil {
		return err
	}
	if _, err := s.Account.RevokeOthers(r.Context(), a.ID, scopeOf(r).token); err != nil {
		return err
	}
	s.flash(w, "flash.sessions_ended")
	return seeOther(w, r, "/mon-espace/compte")
}
