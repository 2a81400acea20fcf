namespace WebRtcIms.ServiceDefaults;

/// <summary>Values of settings in messages.</summary>
public static class SettingText
{
    private const int MaxLength = 100;

    /// <summary>
    /// The end of a message about a wrong value: <c>, not 'x'</c>. Empty if the value may have a password in it, or would not stay on one
    /// line.
    /// </summary>
    public static string Not(string value) =>
        value.Length is 0 or > MaxLength || value.Contains('@', StringComparison.Ordinal) || value.Any(char.IsControl)
            ? "" : $", not '{value}'";
}
