// SPDX-License-Identifier: MIT

// Makes of a folder with Go modules what a module proxy serves, in files, the same bytes each time; what golang.org/x/mod/zip
// demands of archives holds.  Versions that the proxy's folder has already stay.
//
// A module inside the module is one of its own.  Its go.mod finds the one around it by `replace ... => ../`, and says
// v0.0.0; here it is the version that is made.
//
// usage: go run tools/module.go FOLDER VERSION PROXY_FOLDER; the time is SOURCE_DATE_EPOCH
package main

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

var (
	aVersion   = regexp.MustCompile(`^v[01]\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$`) // of a path without /v2
	aPath      = regexp.MustCompile(`(?m)^module ([a-z0-9.-]+(/[a-z0-9._-]+)*)$`)                  // as it is a folder's name, too
	aPlace     = regexp.MustCompile(`(?m)^replace [a-z0-9./_-]+ => \.\./?\n`)
	anyVersion = regexp.MustCompile(`(?m)^((?:require )?\s*[a-z0-9./_-]+ )v0\.0\.0$`)
	aName      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)
)

// What is made of one folder.
type module struct {
	folder  string
	path    string
	version string
	mod     []byte // go.mod
	license []byte
}

func main() {
	err := fmt.Errorf("usage: module.go FOLDER VERSION PROXY_FOLDER")
	if len(os.Args) == 4 {
		err = publishAll(os.Args[1], os.Args[2], os.Args[3])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func publishAll(root, version, proxy string) error {
	if !aVersion.MatchString(version) {
		return fmt.Errorf("%q is not a version like v0.1.0; from v2 on a module's path ends with /v2", version)
	}
	license, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "go.mod" {
			return err
		}
		m := module{folder: filepath.Dir(file), version: version, license: license}
		return m.publish(proxy)
	})
}

func (m *module) publish(proxy string) error {
	mod, err := os.ReadFile(filepath.Join(m.folder, "go.mod"))
	if err != nil {
		return err
	}
	path := aPath.FindSubmatch(mod)
	if path == nil {
		return fmt.Errorf("%s: go.mod names no module, or one with capital letters, which proxies write in another way", m.folder)
	}
	m.path = string(path[1])
	m.mod = aPlace.ReplaceAll(mod, nil)
	m.mod = anyVersion.ReplaceAll(m.mod, []byte("${1}"+m.version))
	folder := filepath.Join(proxy, filepath.FromSlash(m.path), "@v")
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	if err := m.pack(filepath.Join(folder, m.version+".zip")); err != nil {
		return err
	}
	return m.describe(folder)
}

// What a proxy has beside the archive.
func (m *module) describe(folder string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH is not a time in seconds: %w", err)
	}
	info := fmt.Sprintf("{\"Version\":%q,\"Time\":%q}\n", m.version, time.Unix(seconds, 0).UTC().Format(time.RFC3339))
	if err := os.WriteFile(filepath.Join(folder, m.version+".info"), []byte(info), 0o666); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, m.version+".mod"), m.mod, 0o666); err != nil {
		return err
	}
	zips, err := filepath.Glob(filepath.Join(folder, "*.zip"))
	if err != nil {
		return err
	}
	list := ""
	for _, zip := range zips {
		list += strings.TrimSuffix(filepath.Base(zip), ".zip") + "\n"
	}
	return os.WriteFile(filepath.Join(folder, "list"), []byte(list), 0o666)
}

func (m *module) pack(file string) error {
	names, err := namesIn(m.folder)
	if err != nil {
		return err
	}
	archive, err := os.Create(file)
	if err != nil {
		return err
	}
	defer archive.Close()
	packer := zip.NewWriter(archive)
	for _, name := range names {
		if err := m.add(packer, name); err != nil {
			return err
		}
	}
	if err := packer.Close(); err != nil {
		return err
	}
	return archive.Close()
}

// The writer notes neither a time nor rights.
func (m *module) add(packer *zip.Writer, name string) error {
	text, err := m.text(name)
	if err != nil {
		return err
	}
	entry, err := packer.Create(m.path + "@" + m.version + "/" + name)
	if err != nil {
		return err
	}
	_, err = entry.Write(text)
	return err
}

func (m *module) text(name string) ([]byte, error) {
	switch name {
	case "go.mod":
		return m.mod, nil
	case "LICENSE":
		return m.license, nil
	}
	return os.ReadFile(filepath.Join(m.folder, filepath.FromSlash(name)))
}

// The files of a module, in order, and a licence whether there is one or not.  Modules inside it are not part of it, and its
// tests need this project.
func namesIn(folder string) ([]string, error) {
	names := map[string]string{"license": "LICENSE"} // in small letters: as they are
	err := filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, file)
		if err != nil || entry.IsDir() {
			return foreign(name, file, err)
		}
		name = filepath.ToSlash(name)
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		if other := names[strings.ToLower(name)]; other != "" && other != name {
			return fmt.Errorf("%s and %s are one file on some systems", other, name)
		}
		names[strings.ToLower(name)] = name
		return acceptable(name, entry)
	})
	list := make([]string, 0, len(names))
	for _, name := range names {
		list = append(list, name)
	}
	sort.Strings(list)
	return list, err
}

// A folder that is not walked into: it has a module of its own, or copies of others.
func foreign(name, folder string, err error) error {
	if err != nil || name == "." {
		return err
	}
	_, missing := os.Stat(filepath.Join(folder, "go.mod"))
	if missing == nil || filepath.Base(name) == "vendor" {
		return filepath.SkipDir
	}
	return nil
}

func acceptable(name string, entry fs.DirEntry) error {
	if !entry.Type().IsRegular() {
		return fmt.Errorf("%s is not a regular file", name)
	}
	if !aName.MatchString(name) {
		return fmt.Errorf("%s has a character that a module's file may not have", name)
	}
	return nil
}
