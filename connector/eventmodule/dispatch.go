package eventmodule

import (
	"context"
	"fmt"
)

// series is what this server says it is.
const series = "17.0"

// dispatch runs a method of one of the three services.
func (s *Server) dispatch(ctx context.Context, service, method string, params []any) (any, error) {
	switch service {
	case "common":
		return s.common(method, params)
	case "object":
		return s.object(ctx, method, params)
	case "db":
		return s.database(method, params)
	}
	return nil, traceback("KeyError: " + pyRepr(service))
}

func (s *Server) common(method string, params []any) (any, error) {
	switch method {
	case "version":
		return object{
			{"server_version", series},
			{"server_version_info", []any{17, 0, 0, "final", 0, ""}},
			{"server_serie", series},
			{"protocol_version", 1},
		}, nil
	case "about":
		if len(params) > 0 && params[0] == true {
			return []any{"See http://openerp.com", series}, nil
		}
		return "See http://openerp.com", nil
	case "login", "authenticate":
		if len(params) < 3 {
			return nil, traceback(fmt.Sprintf("TypeError: exp_%s() missing %d required positional arguments", method, 3-len(params)))
		}
		if err := s.knows(params[0]); err != nil {
			return nil, err
		}
		login, _ := params[1].(string)
		password, _ := params[2].(string)
		if u := s.byLogin[login]; u != nil && password != "" && u.admits(password) {
			return u.id, nil
		}
		return false, nil
	case "set_loglevel":
		return true, nil
	}
	return nil, traceback("Exception: Method not found: " + method)
}

// knows faults as PostgreSQL would on a database that is not there.
func (s *Server) knows(db any) error {
	if db == s.db {
		return nil
	}
	name := textOf(db)
	f := traceback(fmt.Sprintf("psycopg2.OperationalError: connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  database \"%s\" does not exist\n", name))
	f.text = fmt.Sprintf("Traceback (most recent call last):\n  File \"eventmodule\", in registry\nKeyError: %s\n\nDuring handling of the above exception, another exception occurred:\n\n", pyRepr(name)) + f.text
	return f
}

// object runs execute_kw and execute for a user who shows uid and password.
func (s *Server) object(ctx context.Context, method string, params []any) (any, error) {
	if method != "execute" && method != "execute_kw" {
		return nil, traceback(fmt.Sprintf("NameError: Method not available %s", method))
	}
	if len(params) < 5 {
		return nil, traceback("ValueError: not enough values to unpack (expected at least 3)")
	}
	if err := s.knows(params[0]); err != nil {
		return nil, err
	}
	uid, ok := params[1].(int64)
	if !ok || uid <= 0 {
		return nil, denied()
	}
	password, _ := params[2].(string)
	u := s.users[uid]
	if u == nil {
		return nil, missing("res.users", []int64{uid}, uid)
	}
	if password == "" || !u.admits(password) {
		return nil, denied()
	}
	model, _ := params[3].(string)
	name, _ := params[4].(string)
	if method == "execute" {
		return s.invoke(ctx, u, model, name, params[5:], nil)
	}
	args, kwargs := []any{}, map[string]any{}
	if len(params) > 5 {
		if args, ok = params[5].([]any); !ok && params[5] != nil {
			return nil, traceback(fmt.Sprintf("TypeError: Value after * must be an iterable, not %s", pyType(params[5])))
		}
	}
	if len(params) > 6 {
		if kwargs, ok = params[6].(map[string]any); !ok && params[6] != nil && params[6] != false {
			return nil, traceback(fmt.Sprintf("TypeError: argument after ** must be a mapping, not %s", pyType(params[6])))
		}
	}
	return s.invoke(ctx, u, model, name, args, kwargs)
}

func denied() *fault { return &fault{codeDenied, "AccessDenied", "Access Denied"} }

// database answers what clients ask before they log in. Nothing here creates,
// drops, copies or dumps a database.
func (s *Server) database(method string, params []any) (any, error) {
	switch method {
	case "list":
		return []any{s.db}, nil
	case "db_exist":
		return len(params) > 0 && params[0] == s.db, nil
	case "server_version":
		return series, nil
	case "list_lang":
		langs := make([]any, len(languages))
		for i, l := range languages {
			langs[i] = []any{l[0], l[1]}
		}
		return langs, nil
	}
	if method == "create_database" || method == "drop" || method == "dump" || method == "restore" ||
		method == "rename" || method == "duplicate_database" || method == "change_admin_password" || method == "migrate_databases" {
		return nil, denied()
	}
	return nil, traceback("KeyError: " + pyRepr(method))
}
