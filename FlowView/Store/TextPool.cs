using System.Collections.Concurrent;

namespace WebRtcIms.FlowView.Store;

/// <summary>
/// One copy of each text that repeats in many spans: attribute keys, names of spans and services, short values. The limit protects it
/// from texts that never repeat: beyond it, the pool begins anew, so that strangers cannot fill it for good.
/// </summary>
internal sealed class TextPool
{
    public const int MaxTexts = 20_000;
    private const int MaxLength = 100;

    private readonly ConcurrentDictionary<string, string> _texts = new(StringComparer.Ordinal);
    private int _count;

    public string Share(string text)
    {
        if (text.Length == 0) return "";
        if (text.Length > MaxLength) return text;
        if (_texts.TryGetValue(text, out var known)) return known;
        if (!_texts.TryAdd(text, text) || Interlocked.Increment(ref _count) <= MaxTexts) return text;
        Interlocked.Exchange(ref _count, 0);
        _texts.Clear();
        return text;
    }
}
