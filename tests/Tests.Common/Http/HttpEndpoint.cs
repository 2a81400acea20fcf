using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;

namespace WebRtcIms.Tests.Common.Http;

/// <summary>A path of a service, with its methods. Without methods it answers for each.</summary>
/// <param name="Path">An address that the pattern matches.</param>
/// <param name="Methods">All methods of this path.</param>
/// <param name="ReadsJson">Whether the framework reads a JSON body for it.</param>
public sealed partial record HttpEndpoint(string Path, IReadOnlyList<string> Methods, bool ReadsJson)
{
    /// <summary>All routes of a service, so that a new one joins by itself.</summary>
    public static IReadOnlyList<HttpEndpoint> Of(IEnumerable<EndpointDataSource> sources)
    {
        var routes = sources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>().Distinct().ToList();
        return [.. routes.GroupBy(route => PathOf(route.RoutePattern.RawText ?? "")).Select(path => new HttpEndpoint(
            path.Key,
            [.. path.SelectMany(route => route.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? []).Distinct()],
            path.Any(route => route.Metadata.GetMetadata<IAcceptsMetadata>()?.ContentTypes.Contains("application/json") ?? false)))];
    }

    /// <summary>The methods that a test sends.</summary>
    public IEnumerable<string> TriedMethods => Methods.DefaultIfEmpty("GET");

    public static bool HasBody(string method) => method is "POST" or "PUT" or "PATCH";

    private static string PathOf(string pattern) =>
        $"/{Parameter().Replace(Word().Replace(pattern, "$1"), "x").TrimStart('/')}";

    // A parameter with one possible value.
    [GeneratedRegex(@"\{\w+:regex\(\^(\w+)\$\)\}")]
    private static partial Regex Word();

    // A parameter may have a constraint with braces or brackets.
    [GeneratedRegex(@"\{[^{}]*(\{[^{}]*\}[^{}]*)*\}")]
    private static partial Regex Parameter();
}
