using Microsoft.AspNetCore.Http.Features;

namespace WebRtcIms.Waf.OAuth;

/// <summary>
/// The query of a request, hidden from logs. The token request of TS 33.203 X.5.3.2 step 4 has a password in it, and the server logs every
/// query before the first middleware runs. So the query is removed from the request before that.
/// </summary>
internal sealed record HiddenQuery(string Text)
{
    public override string ToString() => "***";

    /// <summary>Creates the context of a request, without the query.</summary>
    internal sealed class ContextFactory(IServiceProvider services) : IHttpContextFactory
    {
        private readonly DefaultHttpContextFactory _factory = new(services);

        public HttpContext Create(IFeatureCollection featureCollection)
        {
            var request = featureCollection.GetRequiredFeature<IHttpRequestFeature>();
            if (request.QueryString.Length > 0)
            {
                featureCollection.Set(new HiddenQuery(request.QueryString));
                request.QueryString = "";
                request.RawTarget = request.Path;
            }

            return _factory.Create(featureCollection);
        }

        public void Dispose(HttpContext httpContext) => _factory.Dispose(httpContext);
    }
}
