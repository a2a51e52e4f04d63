"""What the tests are helped by: pictures, servers, a browser, processes."""
