package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// node is one element of a file that is checked.
type node struct {
	name string
	text string
	kids []*node
}

// maxDepth is deeper than any file of Belcotax.
const maxDepth = 12

// CheckBelcotax reads a file for Belcotax-on-web and returns what is wrong with it: elements that are unknown, missing
// or out of order, values that are too long or written otherwise, and control totals that do not add up.
func CheckBelcotax(file []byte) []Fault {
	root, err := readNodes(file)
	if err != nil {
		return []Fault{{Element: "Verzendingen", Code: "belcotax.fault.unreadable", Blocking: true}}
	}
	c := &belcotaxCheck{}
	sending := c.path(root, "Verzendingen", "Verzending")
	if sending == nil {
		return c.faults
	}
	c.order(sending, sendingElements, "Aangiften", sendingTotals)
	declaration := c.path(sending.kid("Aangiften"), "Aangiften", "Aangifte")
	if declaration == nil {
		return c.faults
	}
	c.order(declaration, declarationElements, "Opgaven", declarationTotals)
	list := c.path(declaration.kid("Opgaven"), "Opgaven", "Opgave32586")
	if list == nil {
		return c.faults
	}
	for _, f := range list.kids {
		if f.name != "Fiche28186" {
			c.fault(f.name, "belcotax.fault.order")
			continue
		}
		c.fiche(f)
	}
	c.totals(sending, declaration, int64(len(list.kids)))
	return c.faults
}

type belcotaxCheck struct {
	faults    []Fault
	reference string
	numbers   int64
	control   int64
}

func (c *belcotaxCheck) fault(name, code string, args ...any) {
	c.faults = append(c.faults, Fault{Reference: c.reference, Element: name, Code: code, Args: args, Blocking: true})
}

// path returns the one child that an element must have.
func (c *belcotaxCheck) path(n *node, name, kid string) *node {
	if n == nil || n.name != name || len(n.kids) != 1 && kid != "Verzending" || n.kid(kid) == nil {
		c.fault(name, "belcotax.fault.missing")
		return nil
	}
	return n.kid(kid)
}

// order checks that an element holds known elements in their order, each at most once, and every needed one.
func (c *belcotaxCheck) order(n *node, first []element, middle string, last []element) {
	known := slices.Clone(first)
	if middle != "" {
		known = append(known, element{name: middle, needed: true})
	}
	known = append(known, last...)
	at := 0
	for _, kid := range n.kids {
		i := slices.IndexFunc(known[at:], func(e element) bool { return e.name == kid.name })
		if i < 0 {
			c.fault(kid.name, "belcotax.fault.order")
			continue
		}
		c.skipped(known[at : at+i])
		c.value(known[at+i], kid)
		at += i + 1
	}
	c.skipped(known[at:])
}

func (c *belcotaxCheck) skipped(elements []element) {
	for _, e := range elements {
		if e.needed {
			c.fault(e.name, "belcotax.fault.missing")
		}
	}
}

func (c *belcotaxCheck) value(e element, n *node) {
	if e.most == 0 {
		return
	}
	switch length := utf8.RuneCountInString(n.text); {
	case length > e.most:
		c.fault(e.name, "belcotax.fault.long", length, e.most)
	case length == 0 && e.needed:
		c.fault(e.name, "belcotax.fault.missing")
	case length > 0 && !e.fits(n.text):
		c.fault(e.name, "belcotax.fault.shape")
	}
}

// fiche checks one fiche: its elements, that its lines are whole, and that its amounts add up.
func (c *belcotaxCheck) fiche(f *node) {
	c.reference = f.value("f2010_referentie")
	defer func() { c.reference = "" }()
	c.order(f, ficheElements, "", nil)
	var sum int64
	for i, p := range periods {
		amount := f.value(p.amount)
		if whole := amount != "" && f.value(p.from) != "" && f.value(p.until) != "" && f.value(p.days) != ""; amount != "" && !whole || i == 0 && !whole {
			c.fault(p.amount, "belcotax.fault.missing")
		}
		sum += f.number(p.amount)
	}
	if f.number("f86_2064_totalamount") != sum {
		c.fault("f86_2064_totalamount", "belcotax.fault.total")
	}
	if f.number("f86_2059_totaalcontrole") != 2*sum {
		c.fault("f86_2059_totaalcontrole", "belcotax.fault.total")
	}
	c.numbers += f.number("f2009_volgnummer")
	c.control += f.number("f86_2059_totaalcontrole")
}

func (c *belcotaxCheck) totals(sending, declaration *node, n int64) {
	for _, v := range []struct {
		n    *node
		name string
		want int64
	}{
		{declaration, "r8010_aantalrecords", n + 2},
		{declaration, "r8011_controletotaal", c.numbers},
		{declaration, "r8012_controletotaal", c.control},
		{declaration, "r8013_totaalvoorheffingen", 0},
		{sending, "r9010_aantallogbestanden", 3},
		{sending, "r9011_totaalaantalrecords", n + 4},
		{sending, "r9012_controletotaal", c.numbers},
		{sending, "r9013_controletotaal", c.control},
		{sending, "r9014_controletotaal", 0},
	} {
		if v.n.number(v.name) != v.want {
			c.fault(v.name, "belcotax.fault.total")
		}
	}
}

func (n *node) kid(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

func (n *node) value(name string) string {
	if k := n.kid(name); k != nil {
		return k.text
	}
	return ""
}

// number returns the number in an element, 0 for none: a value that is no number is a fault of its own.
func (n *node) number(name string) int64 {
	v, _ := strconv.ParseInt(n.value(name), 10, 64)
	return v
}

var errTooDeep = errors.New("elements within elements without end")

func readNodes(file []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(file))
	root := &node{}
	open := []*node{root}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		top := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) == maxDepth {
				return nil, errTooDeep
			}
			n := &node{name: t.Name.Local}
			top.kids = append(top.kids, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			top.text += string(t)
		}
	}
	if len(root.kids) != 1 {
		return nil, io.ErrUnexpectedEOF
	}
	return root.kids[0], nil
}
