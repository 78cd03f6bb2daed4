"""kopf as the operator's informer: it feeds the store. Nothing outside of this package knows kopf, but `__main__`.

kopf lists and watches the kinds of the registry, takes up kinds whose CRD comes later, signs in, and shuts down in
order. What it does not do, and where that is made up for:

- It would keep notes in users' objects, and copies each object several times for their sake: `storage` has no notes.
- It calls the index functions of all first listings before any event handler, but does not say when that is, and where
  there is no object never calls one: `listings` finds out, and nothing is planned before.
- It gives up after a while, and fails for good after answers that it does not expect, with its watches left hanging:
  `session` knows no such answers, and `__main__` ends the process if it fails all the same.
- When a watch has broken for long it lists again, and hands over what is there but not what is gone: `resync` compares
  with a listing of its own, soon after such an event and every few minutes.
- It looks for kinds once where it may not watch CRDs, as in an installation for some namespaces: `listings` waits for
  them before kopf begins.
- It handles each object in a task of its own, so events of several objects come in any order: the index goes by the
  version of each object, and of what is gone the uid is remembered for a while.
"""
