//! The only code that names the Workers runtime.

#[worker::event(fetch)]
async fn fetch(
    _request: worker::Request,
    _env: worker::Env,
    _context: worker::Context,
) -> worker::Result<worker::Response> {
    worker::Response::ok("skeleton")
}
