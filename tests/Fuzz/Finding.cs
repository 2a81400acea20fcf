using System.Diagnostics.CodeAnalysis;

namespace WebRtcIms.Fuzz;

/// <summary>An input for which something that must always hold does not.</summary>
internal sealed class FindingException(string message) : Exception(message)
{
    public static void ThrowUnless([DoesNotReturnIf(false)] bool holds, string what)
    {
        if (!holds) throw new FindingException(what);
    }
}
