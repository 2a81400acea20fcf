namespace WebRtcIms.Turn.Transport.Linux.Workers;

/// <summary>A socket of a worker: a listener or a relay.</summary>
internal interface IWorkerSocket
{
    int Descriptor { get; }

    /// <summary>It is being closed. Afterwards another socket may get its descriptor.</summary>
    bool IsClosing { get; }
}
