using Microsoft.Extensions.Options;

namespace WebRtcIms.Waf.OAuth;

/// <summary>
/// Drops OpenIddict's log records below Debug, whatever level the settings give it. At Trace it logs every token that it reads, and the
/// assertion of a client that signs is one.
/// </summary>
internal sealed class LogFloor : IPostConfigureOptions<LoggerFilterOptions>
{
    private const string Library = "OpenIddict";

    public void PostConfigure(string? name, LoggerFilterOptions options)
    {
        for (var i = 0; i < options.Rules.Count; i++) options.Rules[i] = Bounded(options.Rules[i]);
    }

    // A rule for a longer category, or for one provider, goes before a shorter one: each has to have the floor.
    private static LoggerFilterRule Bounded(LoggerFilterRule rule) => new(
        rule.ProviderName, rule.CategoryName, rule.LogLevel,
        (provider, category, level) => rule.Filter?.Invoke(provider, category, level) is null or true && !IsBelow(category, level));

    private static bool IsBelow(string? category, LogLevel level) =>
        level < LogLevel.Debug && category?.StartsWith(Library, StringComparison.Ordinal) is true;
}
