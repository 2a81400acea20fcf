using System.Globalization;
using System.Text;

namespace WebRtcIms.Wwsf.Settings;

/// <summary>Settings are invalid.</summary>
internal sealed class SettingsException(string message) : Exception(message);

/// <summary>Reads settings and collects all problems for one message.</summary>
internal sealed class SettingsReader(IConfiguration configuration)
{
    private readonly List<string> _problems = [];

    public void Problem(string key, string text) => _problems.Add($"{key} {text}");

    public string Text(string key, string? fallback = null)
    {
        var text = configuration[key] ?? fallback ?? "";
        if (string.IsNullOrWhiteSpace(text)) Problem(key, "is missing");
        return text;
    }

    public bool Has(string section) => configuration.GetSection(section).GetChildren().Any();

    public string? Optional(string key) => string.IsNullOrWhiteSpace(configuration[key]) ? null : configuration[key];

    public List<string> List(string key) => [.. configuration.GetSection(key).GetChildren().Select(child => child.Value).OfType<string>()];

    public int Number(string key, int fallback, int max = int.MaxValue)
    {
        if (configuration[key] is not { } text) return fallback;
        if (int.TryParse(text, CultureInfo.InvariantCulture, out var number) && number > 0 && number <= max) return number;
        Problem(key, $"must be a whole number from 1{(max < int.MaxValue ? $" to {max}" : "")}, not '{text}'");
        return fallback;
    }

    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan min, TimeSpan max)
    {
        if (configuration[key] is not { } text) return fallback;
        if (TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var duration) && duration >= min && duration <= max) return duration;
        Problem(key, $"must be a time from {min:c} to {max:c}, not '{text}'");
        return fallback;
    }

    public void ThrowIfAnyProblem()
    {
        if (_problems.Count == 0) return;
        var message = new StringBuilder("The settings cannot be used:");
        foreach (var problem in _problems) message.Append("\n  ").Append(problem);
        throw new SettingsException(message.ToString());
    }
}
