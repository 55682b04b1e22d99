package portal

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/problem"
)

// route is one line of a table: method, pattern, who may, and what answers. HEAD comes with every GET.
type route struct {
	method  string
	pattern string
	access  access
	handle  handler
}

// access says who may call a route. A nil one is anybody.
type access func(s *server, a *account.Account) error

const (
	get  = http.MethodGet
	post = http.MethodPost

	// uuidPattern is how an identifier stands in an address.
	uuidPattern = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
	idPart      = "{id:" + uuidPattern + "}"
)

// routes is every page. The staff office and the leaders' pages keep their own tables.
func (s *server) routes() []route {
	return slices.Concat(s.publicRoutes(), s.parentRoutes(), s.basketRoutes(), s.leaveRoutes(), s.rushRoutes(), s.familyRoutes(), s.staffRoutes(), s.staffFamilyRoutes(), s.staffBankRoutes(), s.staffCashRoutes(), s.staffTreasuryRoutes(), s.staffDocumentRoutes(), s.staffMoneyRoutes(), s.staffFinanceRoutes(), s.leaderRoutes())
}

func (s *server) publicRoutes() []route {
	return []route{
		{get, "/", nil, s.catalogue},
		{get, "/stages/" + idPart, nil, s.campShow},
		{get, "/stages/" + idPart + "-{slug}", nil, s.campShow},
		{get, "/stages.ics", nil, s.calendar},
		{get, "/api/v1/camps", nil, s.apiCamps},
		{get, "/api/openapi.json", nil, s.apiDescription},
		{get, "/accessibilite", nil, s.accessibility},
		{get, "/vie-privee", nil, s.privacy},
		{get, "/robots.txt", nil, s.robots},
		{get, "/favicon.ico", nil, s.favicon},
		{get, "/healthz", nil, s.health},
		{get, "/readyz", nil, s.ready},
		{get, staticPrefix + "{name}", nil, s.asset},
	}
}

// router makes a flat gorilla/mux router of the table: on its sub-routers a wrong method is answered 404 instead of 405
// (gorilla/mux issue 751).
func (s *server) router() http.Handler {
	m := mux.NewRouter()
	s.table = s.routes()
	for _, rt := range s.table {
		methods := []string{rt.method}
		if rt.method == get {
			methods = append(methods, http.MethodHead)
		}
		m.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) {
			scopeOf(r).route = rt.pattern
			err := s.allow(rt, r)
			if a := scopeOf(r).account; a != nil {
				r = r.WithContext(audit.WithAccount(r.Context(), a.ID)) // who acts for an organisation
			}
			if err == nil {
				err = rt.handle(w, r)
			}
			if err != nil {
				s.fail(w, r, err)
			}
		}).Methods(methods...)
	}
	m.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, problem.NotFound("portal.error.not_found"))
	})
	m.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errMethod) })
	return m
}

// allow returns nil when the caller of r may use rt; errSignIn when signing in may help.
func (s *server) allow(rt route, r *http.Request) error {
	if rt.access == nil {
		return nil
	}
	a, err := s.identify(r)
	if err != nil {
		return err
	}
	if a == nil {
		return errSignIn
	}
	return rt.access(s, a)
}

// allowed lists the methods that the address of r knows, for the Allow header of a 405.
func (s *server) allowed(r *http.Request) string {
	var methods []string
	for _, rt := range s.table {
		one := mux.NewRouter()
		one.HandleFunc(rt.pattern, func(http.ResponseWriter, *http.Request) {})
		if one.Match(r, &mux.RouteMatch{}) && !slices.Contains(methods, rt.method) {
			methods = append(methods, rt.method)
			if rt.method == get {
				methods = append(methods, http.MethodHead)
			}
		}
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}

// anyone is the access of a signed-in person, whatever the roles: staff have children too.
func anyone(*server, *account.Account) error { return nil }
