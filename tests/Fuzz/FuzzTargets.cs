using WebRtcIms.Fuzz.Targets;

namespace WebRtcIms.Fuzz;

/// <summary>
/// What strangers' octets reach, each as a function over any octets that throws when something is wrong: whatever escapes is a
/// finding.
/// </summary>
internal static class FuzzTargets
{
    public static IReadOnlyDictionary<string, Action<byte[]>> All { get; } = new SortedDictionary<string, Action<byte[]>>
    {
        ["stun"] = StunMessageTarget.Run,
        ["channeldata"] = ChannelDataTarget.Run,
        ["stream"] = StreamTarget.Run,
        ["token"] = AccessTokenTarget.Run,
        ["engine"] = EngineTarget.Run,
        ["dtls"] = DtlsTarget.Run,
        ["sip"] = SipTarget.Run,
    };

    /// <summary>Where the committed inputs of a target lie, beside the program.</summary>
    public static string Corpus(string target) => Path.Combine(AppContext.BaseDirectory, "corpus", target);
}
