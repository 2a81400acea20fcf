namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// The service cannot start with its settings. The message names each setting that has to change, and never has a secret in it.
/// </summary>
public sealed class SettingsException(string message) : Exception(message)
{
    /// <summary>One message for several problems, each of which begins with the name of its setting.</summary>
    public static SettingsException Of(IEnumerable<string> problems) =>
        new("The settings cannot be used:\n  " + string.Join("\n  ", problems));
}
