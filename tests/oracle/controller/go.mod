// Marks the folder as a module. Its versions are those of the cluster that the tests run on: it is built with
// -modfile=dev/tools/go.mod, so that the controller asked here is the very one that works there.
module borgoperator.io/tests/oracle/controller

go 1.24.0
