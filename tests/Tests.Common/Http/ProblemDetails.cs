using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace WebRtcIms.Tests.Common.Http;

/// <summary>The one shape of problem details (RFC 9457) in all services: names in snake_case, the trace id as <c>trace_id</c>.</summary>
public static partial class ProblemDetails
{
    private const string MediaType = "application/problem+json";

    /// <summary>What differs from the shape; null if nothing does, or if the answer is not a problem.</summary>
    public static string? Fault(HttpAnswer answer)
    {
        if (answer.Status < 400 || !answer.Headers.GetValueOrDefault("Content-Type", "").StartsWith(MediaType, StringComparison.Ordinal))
            return null;
        if (JsonNode.Parse(answer.Body) is not JsonObject problem) return "problem details that are not a JSON object";
        return NamesOf(problem).FirstOrDefault(name => !SnakeCase().IsMatch(name)) is { } name ? $"{name} is not in snake_case"
            : !TraceId().IsMatch($"{problem["trace_id"]}") ? "problem details without a trace_id"
            : $"{problem["status"]}" != $"{answer.Status}" ? "problem details with another status"
            : $"{problem["title"]}".Length == 0 ? "problem details without a title"
            : null;
    }

    private static IEnumerable<string> NamesOf(JsonNode? node) => node switch
    {
        JsonObject members => members.SelectMany(member => NamesOf(member.Value).Prepend(member.Key)),
        JsonArray items => items.SelectMany(NamesOf),
        _ => [],
    };

    [GeneratedRegex("^[a-z][a-z0-9_]*$")]
    private static partial Regex SnakeCase();

    [GeneratedRegex("^[0-9a-f]{32}$")]
    private static partial Regex TraceId();
}
