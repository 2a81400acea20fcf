using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A line that a resource printed; numbers begin with 1 for each resource.</summary>
public readonly record struct LogLine(int LineNumber, string Content, bool IsErrorMessage);

/// <summary>What the resources print: the latest lines of each, and a live feed.</summary>
public sealed class ResourceLoggerService
{
    private const int LinesKept = 10_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Output> _outputs = [];

    internal event Action<string, LogLine>? LineWritten;

    /// <summary>The lines so far, as one batch, and then what comes, until cancelled.</summary>
    public async IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(
        string resourceName, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var feed = Channel.CreateUnbounded<LogLine>();
        LogLine[] backlog;
        lock (_lock)
        {
            var output = OutputOf(resourceName);
            backlog = [.. output.Lines];
            output.Feeds.Add(feed);
        }

        try
        {
            if (backlog.Length > 0) yield return backlog;
            await foreach (var line in feed.Reader.ReadAllAsync(cancellationToken)) yield return [line];
        }
        finally
        {
            lock (_lock) OutputOf(resourceName).Feeds.Remove(feed);
        }
    }

    /// <summary>The lines so far, as one batch.</summary>
    public async IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(string resourceName)
    {
        await Task.CompletedTask;
        LogLine[] lines;
        lock (_lock) lines = [.. OutputOf(resourceName).Lines];
        yield return lines;
    }

    internal void Write(string resourceName, string text, bool isError)
    {
        lock (_lock)
        {
            var output = OutputOf(resourceName);
            var line = new LogLine(++output.Written, text, isError);
            output.Lines.Enqueue(line);
            if (output.Lines.Count > LinesKept) output.Lines.Dequeue();
            foreach (var feed in output.Feeds) feed.Writer.TryWrite(line);
            LineWritten?.Invoke(resourceName, line);
        }
    }

    private Output OutputOf(string resourceName)
    {
        if (!_outputs.TryGetValue(resourceName, out var output)) _outputs[resourceName] = output = new Output();
        return output;
    }

    private sealed class Output
    {
        public int Written { get; set; }

        public Queue<LogLine> Lines { get; } = [];

        public List<Channel<LogLine>> Feeds { get; } = [];
    }
}
