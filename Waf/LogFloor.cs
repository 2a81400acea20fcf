using Microsoft.Extensions.Options;

namespace WebRtcIms.Waf;

/// <summary>
/// At Trace OpenIddict writes every token that it reads into the log, and the assertion of a client that signs is one. So it is heard from
/// Debug on, whatever level the settings give it.
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

    private static bool IsBelow(string? category, LogLevel level) => level < LogLevel.Debug && category?.StartsWith(Library, StringComparison.Ordinal) is true;
}
