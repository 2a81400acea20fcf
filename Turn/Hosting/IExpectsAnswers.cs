namespace WebRtcIms.Turn.Hosting;

/// <summary>A way to a client that outlives the client's last request: until it is answered.</summary>
internal interface IExpectsAnswers
{
    /// <summary>A request of the client is answered when a task ends.</summary>
    void Expect(Task answer);
}
