package portal

import (
	"net/http"

	"ribambelle/internal/camp"
	"ribambelle/portal/page"
)

// aboutPage is a page of plain text about the portal, with whom to write to.
type aboutPage struct {
	page.Base
	Email, Phone, DPO string
}

func (s *server) about(w http.ResponseWriter, r *http.Request, name, title string) error {
	all, err := camp.AllSettings(r.Context(), s.DB)
	if err != nil {
		return err
	}
	p := &aboutPage{Base: s.base(r, title), Email: all["commune.email"], Phone: all["commune.phone"], DPO: all["commune.dpo"]}
	return s.render(w, r, http.StatusOK, name, p)
}

// accessibility is the statement that the law of 19 July 2018 asks of public bodies' sites.
func (s *server) accessibility(w http.ResponseWriter, r *http.Request) error {
	return s.about(w, r, "accessibility", s.locale(r).T("portal.accessibility.title"))
}

// privacy tells families what is kept of them, why, and who reads it.
func (s *server) privacy(w http.ResponseWriter, r *http.Request) error {
	return s.about(w, r, "privacy", s.locale(r).T("portal.privacy.title"))
}

// robots keeps search engines to the public pages.
func (s *server) robots(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	return s.send(w, "text/plain; charset=utf-8", []byte("User-agent: *\nDisallow: /mon-espace/\nDisallow: /gestion/\nDisallow: /animateur/\nDisallow: /connexion\nDisallow: /api/\n"))
}
