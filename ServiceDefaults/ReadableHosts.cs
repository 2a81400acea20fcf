using Microsoft.AspNetCore.Http.Features;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Clears a Host whose A-labels (RFC 5890) cannot be decoded, before anything reads it. <see cref="HttpRequest.Host"/> decodes them and
/// throws, also in the server's own log of requests, which ends the connection without an answer. Without a Host, the answer is 400.
/// </summary>
internal sealed class ReadableHosts(IHttpContextFactory factory) : IHttpContextFactory
{
    private const string ForwardedHost = "X-Forwarded-Host";

    /// <summary>Adds this around the factory that the service has.</summary>
    public static void AddTo(IServiceCollection services)
    {
        var inner = services.Last(service => service.ServiceType == typeof(IHttpContextFactory)).ImplementationType!;
        services.AddSingleton<IHttpContextFactory>(provider =>
            new ReadableHosts((IHttpContextFactory)ActivatorUtilities.CreateInstance(provider, inner)));
    }

    public HttpContext Create(IFeatureCollection featureCollection)
    {
        var headers = featureCollection.GetRequiredFeature<IHttpRequestFeature>().Headers;
        if (!IsReadable(headers.Host.ToString())) headers.Host = "";
        if (headers.TryGetValue(ForwardedHost, out var forwarded) && !forwarded.ToString().Split(',').All(host => IsReadable(host.Trim())))
            headers.Remove(ForwardedHost);
        return factory.Create(featureCollection);
    }

    public void Dispose(HttpContext httpContext) => factory.Dispose(httpContext);

    private static bool IsReadable(string host)
    {
        if (!host.Contains("xn--", StringComparison.Ordinal)) return true;
        try
        {
            HostString.FromUriComponent(host).ToUriComponent();
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
