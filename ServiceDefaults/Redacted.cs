namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// A value that must not be shown: a token, key, password or real user name. Formatting, logging or serialising it
/// gives <c>***</c>; code that needs the value asks for it with <see cref="Reveal"/>, which is easy to search for.
/// </summary>
public readonly struct Redacted<T>(T value) : IFormattable
{
    private readonly T _value = value;

    public T Reveal() => _value;

    public override string ToString() => "***";

    public string ToString(string? format, IFormatProvider? formatProvider) => "***";
}
